"""Start of `python -m deploy.local`."""

import sys

from deploy.interrupts import exit_at_interrupt
from deploy.output import escape_unencodable


def main() -> int:
    """Run the command that the arguments name and return the exit status."""
    exit_at_interrupt()
    escape_unencodable()
    from deploy.local.command_line import run_command_line  # the import takes a second

    return run_command_line()


if __name__ == "__main__":
    sys.exit(main())
