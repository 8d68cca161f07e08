"""Refusals of the platform, with the HTTP status that the real one answers."""


class PlatformError(Exception):
    """A request that cannot be served; becomes `{"error": message}` with the status."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
