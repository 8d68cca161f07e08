"""Refused requests."""


class PlatformError(Exception):
    """A refused request: answered as `{"error": message}`, with the real platform's status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
