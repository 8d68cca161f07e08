"""What all request bodies share. Limits are those of SQL, which `tests/database/test_limits.py` checks."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

Name = Annotated[str, StringConstraints(min_length=1, max_length=200, strip_whitespace=True)]
Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$", max_length=63)]
Version = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,6}\.[0-9]{1,6}\.[0-9]{1,6}$")]
Limit = Annotated[int, Field(ge=1, le=200, description="How many items at most, 1 to 200.")]
Cursor = Annotated[
    str | None,
    Field(max_length=2000, description="`next_cursor` of the page before; leave it out for the first page."),
]


class RequestModel(BaseModel):
    """Unknown fields are refused: a misspelt optional field would otherwise be ignored in silence."""

    model_config = ConfigDict(extra="forbid")

    def rpc_arguments(self) -> dict[str, Any]:
        """The fields that were sent, as the RPC names them; SQL knows the defaults of the others."""
        return {
            f"p_{name}": value for name, value in self.model_dump(mode="json", exclude_unset=True).items()
        }


class PageRequest(RequestModel):
    limit: Limit = 50
    cursor: Cursor = None
