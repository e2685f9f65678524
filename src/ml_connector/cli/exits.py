"""Exit statuses that a script can trust, and the errors that carry them. Documented in `docs/cli.md`."""

from enum import IntEnum

DEBUG = "ML_CONNECTOR_DEBUG"
"""Set (`--debug`): an unexpected error shows its traceback."""


class Exit(IntEnum):
    """What the exit status of every command means."""

    FINE = 0
    FOUND = 1
    """Something is wrong, and the command says what: a difference, a failed check, a hold."""
    USAGE = 2
    """The command, the configuration or the environment cannot be used as given."""
    UNREACHABLE = 3
    """The database or a system does not answer."""


class CliError(Exception):
    """One plain sentence with the next step, and the exit status."""

    def __init__(self, message: str, status: Exit = Exit.USAGE) -> None:
        super().__init__(message)
        self.status = status
