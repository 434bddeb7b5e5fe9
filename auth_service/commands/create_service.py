"""Create a service account: `python -m auth_service.commands.create_service --name reports --scope tasks:read`.

Prints the credential to stdout. It cannot be read again later: the database stores only its digest.
"""

import argparse
import sys

from auth_service.commands.runner import run
from auth_service.domain.service_accounts import Scope
from auth_service.settings import AuthSettings
from chassis.settings import load_settings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m auth_service.commands.create_service", description=__doc__)
    parser.add_argument("--name", required=True, help="name of the service: a-z, 0-9, _ and -, beginning with a letter")
    parser.add_argument(
        "--scope",
        required=True,
        action="append",
        choices=[scope.value for scope in Scope],
        help="scope of the service; repeat the option for several scopes",
    )
    arguments = parser.parse_args()
    issued = run(
        load_settings(AuthSettings),
        lambda use_cases: use_cases.service_accounts.create_service_account(arguments.name, arguments.scope),
    )
    sys.stdout.write(f"{issued.credential.reveal()}\n")


if __name__ == "__main__":
    main()
