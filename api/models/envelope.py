"""The envelopes of the answers: `data`, `data` with `next_cursor`, or `error`."""

from typing import Any, Generic, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

Item = TypeVar("Item")


class ResultModel(BaseModel):
    """Ignores fields that SQL adds later. A missing field is a defect and becomes a 500."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class Data(ResultModel, Generic[Item]):
    data: Item


class Page(ResultModel, Generic[Item]):
    """`next_cursor` is null on the last page. SQL calls the list `items`."""

    data: list[Item] = Field(validation_alias=AliasChoices("items", "data"))
    next_cursor: str | None = None


class ErrorDescription(BaseModel):
    code: str = Field(description="A stable name in snake_case; docs/errors.md explains it.")
    message: str = Field(description="A sentence for people, which may change.")
    details: dict[str, Any]
    request_id: str | None = Field(description="The id of the request in the logs, also in `X-Request-Id`.")


class ErrorBody(BaseModel):
    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "error": {
                        "code": "submission_not_found",
                        "message": "There is no such submission.",
                        "details": {},
                        "request_id": "0b6ad1d2c8c44f7f9d6f6f0f5d0e6a11",
                    }
                }
            ]
        }
    )

    error: ErrorDescription
