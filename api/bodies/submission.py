"""A submission's body → the arguments of `create_submission`."""

import json
from typing import Any, Final

from api.bodies.read import read_body
from api.ingest.numbers import changing_field
from api.ingest.rows import MAX_FIELDS
from api.json_text import JsonBounds, encode_json
from api.models.submissions import CreateSubmission
from api.offload.job import Job, JobRefusedError, Options
from api.request_hash import idempotency_arguments

MAX_BYTES: Final = 10 * 1024 * 1024
# About 100 MB once it is parsed. Ten megabytes of ordinary records have a third of that.
BOUNDS: Final = JsonBounds(elements=1_000_000)


def encode_submission(body: bytes, options: Options) -> bytes:
    """`options` are `idempotency_key` and `route`."""
    submission = read_body(CreateSubmission, body, BOUNDS)
    _refuse_changing_numbers(submission.records)
    fields = list(dict.fromkeys(field for record in submission.records for field in record))
    return encode_json(
        submission.rpc_arguments()
        | {"p_fields": fields[:MAX_FIELDS]}
        | idempotency_arguments(
            options["idempotency_key"], options["route"], submission.model_dump(mode="json")
        )
    )


def _refuse_changing_numbers(records: list[dict[str, Any]]) -> None:
    """Refuses the numbers that Python holds exactly but the worker, which counts in doubles, does not."""
    for row, record in enumerate(records, start=1):
        if (field := changing_field(record)) is not None:
            raise JobRefusedError(
                "invalid_records",
                f"Record {row} has a number in {json.dumps(field[:100], ensure_ascii=False)} "
                "that would lose digits or is out of range. Send it as text.",
                {"row": row, "field": field[:100]},
            )


ENCODE_SUBMISSION: Final = Job(encode_submission, inline_bytes=32 * 1024)
