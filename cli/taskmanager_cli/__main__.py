"""Start of the program `taskmanager`, also as `python -m taskmanager_cli`."""

import os
import signal
from types import FrameType


def main() -> None:
    """Run the program. Ctrl-C while its modules are imported prints one line and no traceback."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a program in the background ignores Ctrl-C
        signal.signal(signal.SIGINT, _exit)
    from taskmanager_cli.app import main as run  # the import takes half a second

    run()


def _exit(number: int, _frame: FrameType | None) -> None:
    os.write(2, b"Interrupted.\n")
    os._exit(128 + number)  # ExitCode.INTERRUPTED


if __name__ == "__main__":
    main()
