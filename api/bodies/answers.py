"""An answer of SQL → the bytes that a caller gets."""

import csv
import io
import json
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Any, Final

from api.models.blueprints import Blueprint
from api.models.envelope import Data, Page
from api.models.pipeline_runs import ExportFormat, PipelineRunDetail, RunRecord
from api.models.submissions import Submission
from api.offload.job import Job, Options

Record = dict[str, Any]

PIECE_CHARACTERS: Final = 64 * 1024


class Answer(StrEnum):
    """The answers that may be large, or slow to parse for their size."""

    RECORDS = "records"
    SUBMISSIONS = "submissions"
    BLUEPRINT = "blueprint"
    PIPELINE_RUN = "pipeline_run"


def render_answer(answer: bytes, options: Options) -> bytes:
    """`options["answer"]` is one of Answer."""
    match options["answer"]:
        case Answer.RECORDS:
            return Page[RunRecord].model_validate_json(answer).model_dump_json(exclude_unset=True).encode()
        case Answer.SUBMISSIONS:
            return Page[Submission].model_validate_json(answer).model_dump_json().encode()
        case Answer.BLUEPRINT:
            blueprint = Blueprint.model_validate_json(answer)
            return Data[Blueprint](data=blueprint).model_dump_json().encode()
        case _:
            run = PipelineRunDetail.model_validate_json(answer)
            return Data[PipelineRunDetail](data=run).model_dump_json().encode()


def render_export(page: bytes, options: Options) -> bytes:
    """The next cursor in a line of JSON, then the rendered records. `options` are `format` and `fields`."""
    parsed = json.loads(page)
    if options["format"] == ExportFormat.CSV:
        text = render_csv(options["fields"], parsed["items"])
    else:
        text = render_ndjson(parsed["items"])
    return json.dumps(parsed["next_cursor"]).encode() + b"\n" + text


def render_ndjson(records: list[Record]) -> bytes:
    return "".join(f"{_compact(record)}\n" for record in records).encode()


def render_csv(fields: Sequence[str], records: list[Record]) -> bytes:
    """One line a record; a missing field and null are both an empty cell."""
    return csv_lines(
        [record["id"], *(csv_value(record["data"].get(field)) for field in fields)] for record in records
    )


def csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    """Encodes piece by piece, since text takes up to four times the memory of its bytes."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    encoded = bytearray()
    for row in rows:
        writer.writerow(row)
        if out.tell() > PIECE_CHARACTERS:
            encoded += out.getvalue().encode()
            out.seek(0)
            out.truncate()
    encoded += out.getvalue().encode()
    return bytes(encoded)


def csv_value(value: object) -> str:
    """Text unchanged, null as an empty string, any other value as JSON: `true`, `1.5`, `{"a":1}`."""
    if value is None:
        return ""
    return value if isinstance(value, str) else _compact(value)


def _compact(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


RENDER_ANSWER: Final = Job(render_answer, inline_bytes=64 * 1024)
RENDER_EXPORT: Final = Job(render_export, inline_bytes=16 * 1024)
# A page of a few kilobytes can become 1,000 lines of 2,000 empty cells each.
RENDER_WIDE_EXPORT: Final = Job(render_export, inline_bytes=0)
WIDE_COLUMNS: Final = 50
