"""A recording HTTP server that answers as PostgREST, Auth and Trigger.dev document it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.loopback_server import Handler, listening


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass(frozen=True)
class Answer:
    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def rpc_error(
    status: int, code: str, message: str = "No.", hint: str | None = None, details: str | None = None
) -> Answer:
    """An error body as PostgREST writes it."""
    return Answer(status, {"code": code, "message": message, "hint": hint, "details": details})


Route = Callable[[Request], Answer]


@dataclass
class Loopback:
    """Answers by the path, and keeps the requests in order, except those to paths in `unrecorded`."""

    url: str
    routes: dict[str, Route] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    unrecorded: set[str] = field(default_factory=set)
    fallback: Route = lambda request: Answer(404, {"message": f"no route {request.path}"})

    def asked(self, path_end: str) -> list[Request]:
        return [request for request in self.requests if request.path.endswith(path_end)]

    def rpc(self, name: str, answer: Answer | Route) -> None:
        self.routes[f"/rest/v1/rpc/{name}"] = answer if callable(answer) else lambda _: answer


@contextmanager
def loopback_server() -> Iterator[Loopback]:
    """Listens on a free port for as long as the block runs."""

    class Route(Handler):
        def respond(self) -> None:
            raw = self.read_body()
            request = Request(self.command, self.path, self.named_headers, json.loads(raw) if raw else None)
            if self.path not in loopback.unrecorded:
                loopback.requests.append(request)
            answer = loopback.routes.get(self.path, loopback.fallback)(request)
            body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
            self.answer(answer.status, {"Content-Type": "application/json", **answer.headers}, body)

    with listening(Route) as url:
        loopback = Loopback(url)
        yield loopback
