"""One file → rows, by its kind. This is all that a reading process does; nothing here knows HTTP or the
database.
"""

from collections.abc import Iterator
from typing import IO, Any

from api.ingest.compression import blocks
from api.ingest.csv_rows import CsvRows
from api.ingest.decoding import Decoding, decide, undecodable_rows
from api.ingest.foreign import is_workbook
from api.ingest.job import FileFormat, ReadJob
from api.ingest.lines import read_lines
from api.ingest.ndjson_rows import NdjsonRows
from api.ingest.refusal import FileRefusedError, unreadable
from api.ingest.rows import RejectedRow, Row
from api.ingest.scan import hash_file, scan
from api.ingest.workbook_rows import WorkbookRows

MAX_REPORTED_REJECTS = 10
# Of the rows, so many may have bytes that are no text.
MAX_UNDECODABLE_SHARE = 0.2
MIN_UNDECODABLE_ROWS = 3


class FileReading:
    """Reads one file. `rows` gives its rows once; what is known about it is complete after the last of
    them.
    """

    def __init__(self, file: IO[bytes], job: ReadJob) -> None:
        """Looks through the file once. Raises FileRefusedError."""
        self._job = job
        self._decoding: Decoding | None = None
        self.row_count = 0
        self.record_count = 0
        self.first_rejected: list[RejectedRow] = []
        self._table: CsvRows | NdjsonRows | WorkbookRows
        if is_workbook(file):
            self.format = FileFormat.XLSX
            self.sha256 = hash_file(file)
            self._table = WorkbookRows(file, job)
            return
        self.format = job.options.format
        if self.format is FileFormat.XLSX:
            raise unreadable("The file is no Excel workbook (.xlsx), although its name or `format` says so.")
        scanned = scan(file, job.limits)
        self.sha256 = scanned.sha256
        self._decoding = decide(scanned, job.options.encoding)
        lines = read_lines(blocks(file, job.limits), self._decoding.encoding)
        self._table = (CsvRows if self.format is FileFormat.CSV else NdjsonRows)(lines, job)

    def rows(self) -> Iterator[Row]:
        """Raises FileRefusedError in the middle when a bound is passed, and at the end when no row was a
        record.
        """
        limit = self._job.limits.max_rejected_rows
        for row in self._table:
            self.row_count += 1
            if isinstance(row, RejectedRow):
                if len(self.first_rejected) < MAX_REPORTED_REJECTS:
                    self.first_rejected.append(row)
                if self.rejected_count > limit:
                    raise unreadable(
                        f"More than {limit:,} rows of the file could not be read.", **self._rejects()
                    )
            else:
                self.record_count += 1
            yield row
        self._check_whole()

    @property
    def rejected_count(self) -> int:
        return self.row_count - self.record_count

    def _check_whole(self) -> None:
        if not self.row_count:
            raise FileRefusedError("submission_empty", "The file has no row of data.")
        if not self.record_count:
            raise unreadable("Not one row of the file could be read.", **self._rejects())
        undecodable = self._table.undecodable_rows
        if self._decoding and undecodable > max(MIN_UNDECODABLE_ROWS, MAX_UNDECODABLE_SHARE * self.row_count):
            raise undecodable_rows(self._decoding.encoding, undecodable, self.row_count)

    def _rejects(self) -> dict[str, object]:
        return {
            "rejected_count": self.rejected_count,
            "first_rejected": [
                {"line": row.line, "reason": row.reason, "message": row.message}
                for row in self.first_rejected
            ],
        }

    @property
    def fields(self) -> list[str]:
        return self._table.fields

    def columns(self) -> list[dict[str, Any]]:
        return self._table.columns()

    def read_as(self) -> dict[str, Any]:
        found = self._decoding
        table = self._table.read_as()
        if found and found.implausible_words:
            table["notes"]["implausible_words"] = found.implausible_words
        return {
            **table,
            "encoding": found.encoding if found else None,
            "encoding_confidence": found.confidence if found else None,
            "encoding_source": found.source if found else None,
        }
