"""Large JSON that the framework documents but neither parses nor writes: the endpoint has its bytes."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, GetCoreSchemaHandler
from pydantic_core import CoreSchema, core_schema

from api.auth.caller import Caller
from api.bodies.answers import RENDER_ANSWER, Answer
from api.data_api import Arguments
from api.offload.pool import OffloadPool


@dataclass(frozen=True, slots=True)
class JsonOf:
    """Annotates a body of type `bytes`: it is JSON that matches `model`."""

    model: type[BaseModel]

    def __get_pydantic_core_schema__(self, source: object, handler: GetCoreSchemaHandler) -> CoreSchema:
        """The document shows the first schema, and the second one checks the bytes."""
        return core_schema.json_or_python_schema(
            json_schema=handler.generate_schema(self.model),
            python_schema=core_schema.bytes_schema(strict=True),
        )


async def answer(
    caller: Caller, offload: OffloadPool, kind: Answer, rpc: str, arguments: Arguments
) -> Response:
    """Calls the RPC, and answers with its result in the form of the API."""
    result = await caller.call_raw(rpc, arguments)
    text = await offload.run(RENDER_ANSWER, caller.org_id, result, {"answer": kind})
    return Response(text, media_type="application/json")


class _UnparsedRequest(Request):
    async def json(self) -> Any:  # noqa: ANN401 (as in the class above it)
        return await self.body()


class LargeJsonRoute(APIRoute):
    """Takes the JSON body as it is, if the endpoint annotates it with JsonOf."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()
        body = self.body_field
        if body is None or not any(isinstance(note, JsonOf) for note in body.field_info.metadata):
            return handle

        async def handle_unparsed(request: Request) -> Response:
            return await handle(_UnparsedRequest(request.scope, request.receive))

        return handle_unparsed
