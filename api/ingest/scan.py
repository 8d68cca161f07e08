"""The first pass over an uploaded file: its kind, its hash, and the evidence for how it is encoded."""

import codecs
import hashlib
import re
from dataclasses import dataclass
from typing import IO, Final

from api.ingest.compression import blocks
from api.ingest.foreign import refuse_foreign_format
from api.ingest.job import ReadLimits
from api.ingest.refusal import unreadable

# Longest first: the UTF-32 mark begins with the UTF-16 one.
BYTE_ORDER_MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
START_BYTES = 64 * 1024
# Lines with a byte beyond ASCII, from anywhere in the file: the first such byte may come late.
SAMPLE_BYTES = 128 * 1024
SAMPLE_BYTES_OF_A_BLOCK = 16 * 1024
NON_ASCII_LINE = re.compile(rb"[^\r\n]{0,200}[\x80-\xff][^\r\n]{0,1000}")
ESCAPED_BYTES = re.compile("[\udc80-\udcff]")


@dataclass(frozen=True, slots=True)
class Scan:
    """`sha256` and `size` are of the decompressed content; `valid` and `invalid` count what UTF-8 makes of
    it.
    """

    sha256: str
    size: int
    line_count: int
    mark: str | None
    start: bytes
    sample: bytes
    valid: int
    invalid: int
    has_escapes: bool

    @property
    def sampled_share(self) -> float:
        """The share of lines with something beyond ASCII, as the sample shows it: 1 when it is full."""
        if len(self.sample) >= SAMPLE_BYTES:
            return 1.0
        return self.sample.count(b"\n") / max(self.line_count, 1)


def scan(file: IO[bytes], limits: ReadLimits) -> Scan:
    """Reads the file once, block by block.

    Raises FileRefusedError payload_too_large, or unreadable_file (empty, broken compression, a known other
    format).
    """
    digest = hashlib.sha256()
    evidence = _Utf8Evidence()
    size, start, sample, has_escapes = 0, b"", bytearray(), False
    line_feeds = returns = 0
    for block in blocks(file, limits):
        if size == 0:
            refuse_foreign_format(block)
        size += len(block)
        digest.update(block)
        if len(start) < START_BYTES:
            start += block[: START_BYTES - len(start)]
        evidence.add(block)
        line_feeds += block.count(b"\n")
        returns += block.count(b"\r")
        if not block.isascii():
            _add_lines(sample, block)
        has_escapes = has_escapes or b"\x1b$" in block
    evidence.add(b"", final=True)
    if size == 0:
        raise unreadable("The file is empty.")
    mark = next((encoding for mark, encoding in BYTE_ORDER_MARKS if start.startswith(mark)), None)
    return Scan(
        digest.hexdigest(),
        size,
        max(line_feeds, returns),
        mark,
        start,
        bytes(sample),
        evidence.valid,
        evidence.invalid,
        has_escapes,
    )


def hash_file(file: IO[bytes]) -> str:
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]


def _add_lines(sample: bytearray, block: bytes) -> None:
    wanted = min(SAMPLE_BYTES_OF_A_BLOCK, SAMPLE_BYTES - len(sample))
    if wanted <= 0:
        return
    taken = 0
    for line in NON_ASCII_LINE.finditer(block):
        sample += line[0] + b"\n"
        taken += len(line[0]) + 1
        if taken >= wanted:
            return


class _Utf8Evidence:
    """Counts what speaks for UTF-8 and against it, over the whole file.

    One broken byte in a UTF-8 file must not turn every umlaut of the other rows into gibberish; and text in
    another encoding hardly ever holds a valid UTF-8 sequence.
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
