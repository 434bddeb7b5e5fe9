"""Ctrl-C in the first second of a program, in which it imports its modules."""

import os
import signal
from types import FrameType

INTERRUPTED = 128 + signal.SIGINT
"""Exit status of a program that Ctrl-C ended, as a shell reports it."""


def exit_at_interrupt() -> None:
    """From now on let Ctrl-C print one line and exit at once, up to `raise_at_interrupt` or another handler.

    A KeyboardInterrupt would show a traceback, and the import of an extension module may turn it into another error.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a program in the background ignores Ctrl-C
        signal.signal(signal.SIGINT, _exit)


def raise_at_interrupt() -> None:
    """Let Ctrl-C raise KeyboardInterrupt again."""
    if signal.getsignal(signal.SIGINT) is _exit:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _exit(_number: int, _frame: FrameType | None) -> None:
    os.write(2, b"Interrupted. Nothing was done.\n")
    os._exit(INTERRUPTED)
