"""The envelopes of every answer: `data`, `data` with `next_cursor`, or `error`."""

from typing import Any, Generic, TypeVar

from pydantic import AliasChoices, BaseModel, ConfigDict, Field

Item = TypeVar("Item")


class ResultModel(BaseModel):
    """Fields that SQL adds later are ignored; one that is missing is our defect and becomes a 500."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


class Data(ResultModel, Generic[Item]):
    data: Item


class Page(ResultModel, Generic[Item]):
    """SQL calls the list `items`; `next_cursor` null means that this is the last page."""

    data: list[Item] = Field(validation_alias=AliasChoices("items", "data"))
    next_cursor: str | None = None


class ErrorDescription(BaseModel):
    code: str = Field(description="Stable snake_case name, explained in docs/errors.md.")
    message: str = Field(description="A sentence for people; it may change.")
    details: dict[str, Any]
    request_id: str | None = Field(description="The id of this request in our logs, also in `X-Request-Id`.")


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
