"""The first pass over an uploaded file: whether it is readable, its encoding and its hash."""

import codecs
import gzip
import hashlib
import io
import re
import zlib
from dataclasses import dataclass
from typing import IO, Final, cast

from api.errors import ApiError, ErrorCode

BLOCK_BYTES = 256 * 1024
GZIP_MAGIC = b"\x1f\x8b"

# Longest first: the UTF-32 mark begins with the UTF-16 one.
BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
FOREIGN_FORMATS: Final = (
    (b"PK\x03\x04", "a ZIP archive or an Excel workbook"),
    (b"\xd0\xcf\x11\xe0", "an old Excel or Word file"),
    (b"%PDF", "a PDF"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)
ESCAPED_BYTES = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class Scan:
    """`sha256` and `size` describe the decompressed content.

    With `errors` "surrogateescape", invalid bytes become lone surrogates, so that only their rows are
    rejected.
    """

    compressed: bool
    encoding: str
    errors: str
    sha256: str
    size: int


def scan(file: IO[bytes], max_bytes: int) -> Scan:
    """Reads the file once, block by block.

    Raises ApiError payload_too_large (more than `max_bytes` of content), unsupported_media_type (a known
    foreign format) or unreadable_file (an empty file, broken compression, broken UTF-16).
    """
    file.seek(0)
    compressed = file.read(2) == GZIP_MAGIC
    content = _content(file, compressed)
    digest = hashlib.sha256()
    size = 0
    evidence: _Utf8Evidence | None = None
    marked: codecs.IncrementalDecoder | None = None
    encoding = "utf-8"
    try:
        while block := content.read(BLOCK_BYTES):
            if size == 0:
                _refuse_foreign_format(block)
                encoding = _marked_encoding(block) or encoding
                if encoding in ("utf-16", "utf-32"):
                    marked = codecs.getincrementaldecoder(encoding)()
                else:
                    evidence = _Utf8Evidence()
            size += len(block)
            if size > max_bytes:
                raise _too_large(max_bytes, compressed)
            digest.update(block)
            if marked:
                marked.decode(block)
            elif evidence:
                evidence.add(block)
        if marked:
            marked.decode(b"", final=True)
    except UnicodeDecodeError as error:
        raise unreadable(f"The file begins like {encoding.upper()} but is not valid.") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise unreadable("The gzip compression of the file is broken or incomplete.") from error
    if size == 0:
        raise unreadable("The file is empty.")
    errors = "strict"
    if evidence and evidence.finish().invalid:
        errors = "surrogateescape"
        if not evidence.is_mostly_utf8() and encoding == "utf-8":
            encoding = "cp1252"
    return Scan(compressed, encoding, errors, digest.hexdigest(), size)


def open_text(file: IO[bytes], scan: Scan) -> io.TextIOWrapper:
    """The content as text. Line ends stay unchanged, because quoted CSV fields may hold them."""
    content = _content(file, scan.compressed)
    return io.TextIOWrapper(content, encoding=scan.encoding, errors=scan.errors, newline="")


def unreadable(message: str, **details: object) -> ApiError:
    return ApiError(ErrorCode.UNREADABLE_FILE, message, details=details)


class _Utf8Evidence:
    """Counts the valid and the invalid UTF-8 sequences.

    A UTF-8 file with one broken byte must not be read as Windows-1252, which would garble every umlaut. Text
    in Windows-1252 hardly ever holds a valid UTF-8 sequence.
    """

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
        self.valid = 0
        self.invalid = 0

    def add(self, block: bytes, *, final: bool = False) -> None:
        text = self._decoder.decode(block, final)
        if text.isascii():
            return
        invalid = len(ESCAPED_BYTES.findall(text))
        self.invalid += invalid
        self.valid += len(text) - len(text.encode("ascii", "ignore")) - invalid

    def finish(self) -> "_Utf8Evidence":
        self.add(b"", final=True)
        return self

    def is_mostly_utf8(self) -> bool:
        return self.valid > self.invalid


def _content(file: IO[bytes], compressed: bool) -> IO[bytes]:
    file.seek(0)
    return cast(IO[bytes], gzip.GzipFile(fileobj=file, mode="rb")) if compressed else file


def _marked_encoding(start: bytes) -> str | None:
    for mark, encoding in BYTE_ORDER_MARKS:
        if start.startswith(mark):
            return encoding
    return None


def _refuse_foreign_format(start: bytes) -> None:
    for magic, description in FOREIGN_FORMATS:
        if start.startswith(magic):
            raise ApiError(
                ErrorCode.UNSUPPORTED_MEDIA_TYPE,
                f"The file is {description}. Send CSV or NDJSON, plain or gzip.",
            )


def _too_large(max_bytes: int, compressed: bool) -> ApiError:
    what = "decompressed content of the file" if compressed else "file"
    return ApiError(
        ErrorCode.PAYLOAD_TOO_LARGE,
        f"The {what} is larger than {max_bytes:,} bytes. Split it.",
        details={"limit_bytes": max_bytes},
    )
