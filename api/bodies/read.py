"""Bytes of a body → its model, within bounds."""

from typing import TypeVar

from pydantic import BaseModel, ValidationError

from api.invalid_fields import describe
from api.json_text import JsonBounds, parse_json
from api.offload.job import JobRefusedError

Model = TypeVar("Model", bound=BaseModel)


def read_body(model: type[Model], body: bytes, bounds: JsonBounds) -> Model:
    """Raises RefusedJsonError or JobRefusedError invalid_request."""
    try:
        return model.model_validate(parse_json(body, bounds))
    except ValidationError as error:
        message, details = describe(error.errors(include_url=False, include_input=False))
        raise JobRefusedError("invalid_request", message, details) from error
