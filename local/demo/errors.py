"""What the demo says when it cannot go on."""


class DemoError(Exception):
    """A sentence for the person at the keyboard; `log` names the process whose log tells more."""

    def __init__(self, message: str, *, log: str | None = "api") -> None:
        super().__init__(message)
        self.log = log
