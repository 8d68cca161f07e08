"""What a file can be refused for, free of the web framework: files are read in processes of their own."""


class FileRefusedError(Exception):
    """`code` is one of `api.errors.ErrorCode`; the route answers with its status."""

    def __init__(self, code: str, message: str, **details: object) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details


def unreadable(message: str, **details: object) -> FileRefusedError:
    return FileRefusedError("unreadable_file", message, **details)


def undecodable(message: str, **details: object) -> FileRefusedError:
    return FileRefusedError("undecodable_file", message, **details)


def too_large(message: str, **details: object) -> FileRefusedError:
    return FileRefusedError("payload_too_large", message, **details)
