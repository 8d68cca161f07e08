"""A client of the product's API: over HTTP, with one credential, as a customer's server uses it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, TypeVar

import httpx
from pydantic import BaseModel

from local.errors import DemoError

_Model = TypeVar("_Model", bound=BaseModel)
_PAGE = 200


class ApiError(DemoError):
    """An error answer of the API. `code` is its stable name."""

    def __init__(self, path: str, status: int, code: str, message: str) -> None:
        super().__init__(f"POST {path} answered {status} {code}: {message}")
        self.status = status
        self.code = code


class Api:
    def __init__(self, url: str, bearer: str) -> None:
        self._client = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {bearer}"},
            timeout=60,
            trust_env=False,  # the stack is on this machine, so no proxy applies
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def call(self, path: str, body: dict[str, Any], model: type[_Model]) -> _Model:
        return model.model_validate(self._post(path, body)["data"])

    def call_untyped(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        data: dict[str, Any] = self._post(path, body)["data"]
        return data

    def every(
        self, path: str, body: dict[str, Any], model: type[_Model], *, page: int = _PAGE
    ) -> Iterator[_Model]:
        """All items of a list endpoint, page after page."""
        cursor: str | None = None
        while True:
            answer = self._post(path, {**body, "limit": page, "cursor": cursor})
            yield from (model.model_validate(item) for item in answer["data"])
            cursor = answer["next_cursor"]
            if cursor is None:
                return

    def upload(self, path: str, file: Path, fields: dict[str, str], model: type[_Model]) -> _Model:
        with file.open("rb") as content, _reachable(path):
            part = (file.name, content, "text/csv")
            answer = _read(path, self._client.post(path, data=fields, files={"file": part}))
        return model.model_validate(answer["data"])

    @contextmanager
    def stream(self, path: str, body: dict[str, Any]) -> Iterator[httpx.Response]:
        with _reachable(path), self._client.stream("POST", path, json=body) as response:
            if response.is_error:
                response.read()
                raise _refusal(path, response)
            yield response

    def _post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        with _reachable(path):
            return _read(path, self._client.post(path, json=body))


@contextmanager
def _reachable(path: str) -> Iterator[None]:
    try:
        yield
    except httpx.TransportError as error:
        raise DemoError(f"The API did not answer POST {path} ({type(error).__name__}).") from error


def _read(path: str, response: httpx.Response) -> dict[str, Any]:
    if response.is_error:
        raise _refusal(path, response)
    answer: dict[str, Any] = response.json()
    return answer


def _refusal(path: str, response: httpx.Response) -> ApiError:
    try:
        error = response.json()["error"]
        return ApiError(path, response.status_code, error["code"], error["message"])
    except (ValueError, KeyError, TypeError):
        return ApiError(path, response.status_code, "unreadable_answer", response.text[:200])
