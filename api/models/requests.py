"""Shared by all request bodies. `tests/database/test_limits.py` compares the limits with those of SQL."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=63)]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}$")]
Limit = Annotated[int, Field(ge=1, le=200, description="The most items to return, 1 to 200.")]
Cursor = Annotated[
    str | None,
    Field(
        max_length=2000, description="`next_cursor` of the previous page; leave it out for the first page."
    ),
]


class RequestModel(BaseModel):
    """Refuses unknown fields, since a misspelt optional field would be ignored without notice."""

    model_config = ConfigDict(extra="forbid")

    def rpc_arguments(self) -> dict[str, Any]:
        """The fields that were sent, under the names of the RPC. SQL fills in the defaults of the others."""
        return {
            f"p_{name}": value for name, value in self.model_dump(mode="json", exclude_unset=True).items()
        }


class PageRequest(RequestModel):
    limit: Limit = 50
    cursor: Cursor = None
