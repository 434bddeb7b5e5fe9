"""Rotate the signing key without downtime: `python -m auth_service.commands.rotate_keys`.

The new key is published at once and signs after AUTH_KEY_PUBLISHED_SECONDS, when every verifier knows it. The old key
verifies tokens until the last token that it signed has expired. With --compromised the change is immediate: tokens of
the old keys are invalid, people get new tokens by their refresh tokens, and services by their credentials.
"""

import argparse

import structlog

from auth_service.commands.runner import run
from auth_service.settings import AuthSettings
from chassis.settings import load_settings

log = structlog.get_logger("rotate_keys")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m auth_service.commands.rotate_keys", description=__doc__)
    parser.add_argument("--compromised", action="store_true", help="somebody else knows the old key: invalidate it now")
    arguments = parser.parse_args()
    key = run(
        load_settings(AuthSettings),
        lambda use_cases: use_cases.operators.rotate_signing_key(compromised=arguments.compromised),
    )
    log.info("signing key created", kid=key.kid, activates_at=key.activates_at.isoformat())


if __name__ == "__main__":
    main()
