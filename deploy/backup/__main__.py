"""Start of `python -m deploy.backup`."""

from deploy.interrupts import exit_at_interrupt
from deploy.output import escape_unencodable


def main() -> None:
    """Run the command that the arguments name."""
    exit_at_interrupt()
    escape_unencodable()
    from deploy.backup.command_line import run_command_line  # the import takes a second

    run_command_line()


if __name__ == "__main__":
    main()
