"""The process that outlives a supervisor which was killed, and stops what it left running.

Its standard input is a pipe that only the supervisor holds: the pipe ends when the supervisor does, however it ends.
The kernel's own means (PR_SET_PDEATHSIG) is Linux's alone, reaches no grandchildren and is lost at a change of user.
"""

import sys

from deploy.local.supervision.orphans import end_processes_of


def main() -> None:
    """Waits for the supervisor's end, then ends what still carries the marks of the run named in the arguments."""
    sys.stdin.buffer.read()
    end_processes_of(sys.argv[1])


if __name__ == "__main__":
    main()
