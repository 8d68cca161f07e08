"""Errors whose message is printed to the user: what is wrong, and what to do about it."""


class StackError(Exception):
    """The local stack cannot start or go on."""


class DemoError(Exception):
    """The demo cannot go on. `log` names the process whose log tells more."""

    def __init__(self, message: str, *, log: str | None = "api") -> None:
        super().__init__(message)
        self.log = log
