"""What `take_request_tokens` answers: the standing of a credential and of its org."""

from typing import Annotated

from pydantic import Field

from api.models.envelope import ResultModel


class RequestPolicy(ResultModel):
    """A token bucket: `quota` requests in `window_seconds`, of which `remaining` are left now."""

    name: Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")]
    quota: int
    window_seconds: int
    remaining: int
    reset_seconds: Annotated[float, Field(description="The time until the bucket is full again.")]


class TakenRequestTokens(ResultModel):
    """`granted` is less than the asked number when a bucket is empty; then there is a time to wait."""

    granted: int
    retry_after_seconds: float
    policies: list[RequestPolicy]
