"""What goes wrong."""


class LeakhuntError(RuntimeError):
    """The command could not do it.

    `exit_code` is the command's: 1 nothing found, 2 bad input, 3 this process cannot be looked at,
    4 it is ending; `help` tells what to do about it, or is empty.
    """

    def __init__(self, message: str, exit_code: int, help: str = "") -> None:
        super().__init__(f"{message}\n{help}" if help else message)
        self.exit_code = exit_code
        self.help = help


class LeakhuntWarning(UserWarning):
    """Something keeps a look from being all that it could be."""
