"""Replaces the signing key: `python -m auth_service.commands.rotate_keys`. The services go on working all the while.

The new key is published at once and signs only when every verifier must have heard of it; the old one is believed for
as long as the last token that it signs can live. With --compromised nothing waits: the old keys are good for nothing
from now on, people get new tokens by their refresh tokens and services by their credentials.
"""

import argparse

import structlog

from auth_service.commands.running import run
from auth_service.settings import AuthSettings
from chassis.settings import load_settings

log = structlog.get_logger("rotate_keys")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m auth_service.commands.rotate_keys", description=__doc__)
    parser.add_argument("--compromised", action="store_true", help="the old key is known to somebody else: stop it now")
    arguments = parser.parse_args()
    key = run(load_settings(AuthSettings), lambda use_cases: use_cases.rotate_keys(compromised=arguments.compromised))
    log.info("new signing key", kid=key.kid, activates_at=key.activates_at.isoformat())


if __name__ == "__main__":
    main()
