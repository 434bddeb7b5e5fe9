"""Errors of the local stack. The person at the terminal reads their messages."""


class LocalStackError(Exception):
    """Base of all errors that stop the stack. The message says what is wrong and what to do."""


class ProcessNotReady(LocalStackError):
    """A process ended or timed out before it was ready. It has the exit status of a process that ended."""

    def __init__(self, message: str, *, exit_status: int | None = None) -> None:
        super().__init__(message)
        self.exit_status = exit_status


class ProcessFailed(LocalStackError):
    """A process failed and is not restarted. It has the process's name and the last lines of its log."""

    def __init__(self, message: str, *, process: str, last_log_lines: tuple[str, ...]) -> None:
        super().__init__(message)
        self.process = process
        self.last_log_lines = last_log_lines
