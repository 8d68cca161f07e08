"""What `take_request_tokens` answers: how many requests the caller may send."""

from typing import Annotated

from pydantic import Field

from api.models.envelope import ResultModel


class TakenRequestTokens(ResultModel):
    """Of the buckets of the credential and its org, the emptier one. A full one holds five seconds."""

    granted: Annotated[int, Field(description="Less than asked for when a bucket is empty.")]
    limit_per_second: int
    remaining: int
    retry_after_seconds: float
