"""What can go wrong, said so that the person at the terminal can act on it."""


class LocalStackError(Exception):
    """The local stack cannot go on; the message says why and what to do."""


class ProcessNotReadyError(LocalStackError):
    """A process ended, or took too long, before it was ready."""


class ProcessFailedError(LocalStackError):
    """A process failed for good. Carries its name and the last lines that it wrote."""

    def __init__(self, message: str, *, process: str, last_lines: tuple[str, ...]) -> None:
        super().__init__(message)
        self.process = process
        self.last_lines = last_lines
