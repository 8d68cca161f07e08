"""What to read and within which bounds: all that the reading of one file depends on."""

from dataclasses import dataclass, field
from enum import StrEnum


class FileFormat(StrEnum):
    CSV = "csv"
    NDJSON = "ndjson"
    XLSX = "xlsx"


class RaggedRow(StrEnum):
    """What becomes of a row that is shorter than the header."""

    PAD = "pad"
    REJECT = "reject"


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Bounds on one file, each checked while the work is done and not after."""

    max_bytes: int = 100 * 1024 * 1024
    max_rows: int = 1_000_000
    max_blank_lines: int = 1_000_000
    max_ratio: int = 200
    max_rejected_rows: int = 10_000


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What the caller says about the file; None leaves it to be found out."""

    format: FileFormat = FileFormat.CSV
    encoding: str | None = None
    delimiter: str | None = None
    skip_lines: int | None = None
    header: tuple[str, ...] | None = None
    on_ragged_row: RaggedRow = RaggedRow.PAD
    sheet: str | None = None


@dataclass(frozen=True, slots=True)
class ReadJob:
    options: ReadOptions = field(default_factory=ReadOptions)
    limits: ReadLimits = field(default_factory=ReadLimits)
