"""Rules that hold for every endpoint, checked by sweeps, so that a new endpoint cannot miss one."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from fastapi.testclient import TestClient
from pydantic import ValidationError

from api.auth.api_token import generate_api_token
from api.auth.caller import (
    Caller,
    get_admitted_context,
    get_auth_context,
    get_fresh_auth_context,
    get_left_context,
)
from api.auth.context import AuthContext
from api.main import ROUTERS
from api.models.users import UserRole
from api.routes import health
from tests.support.loopback import Answer, Loopback
from tests.unit.conftest import AUTH_CONTEXT

INFRASTRUCTURE = {"/healthz", "/readyz", "/openapi.json", "/docs", "/docs/oauth2-redirect"}
PRODUCT_ROUTES = [
    route for module in ROUTERS for route in module.router.routes if isinstance(route, APIRoute)
]


ROUTES = [*PRODUCT_ROUTES, *(route for route in health.router.routes if isinstance(route, APIRoute))]
CONTEXTS = {get_auth_context, get_fresh_auth_context, get_admitted_context, get_left_context}


def dependencies(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    """The functions that the framework calls before the endpoint, at any depth."""
    for dependency in dependant.dependencies:
        assert dependency.call is not None
        yield dependency.call
        yield from dependencies(dependency)


@pytest.fixture
def document(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        if path.startswith("/v1/"):
            yield path, methods["post"]


def test_every_endpoint_of_the_contract_is_there() -> None:
    assert {route.path for route in PRODUCT_ROUTES} == {
        "/v1/auth/context",
        *(f"/v1/companies/{verb}" for verb in ("create", "list", "get")),
        *(f"/v1/users/{verb}" for verb in ("list", "get", "update", "deactivate", "reactivate", "leave")),
        *(f"/v1/invitations/{verb}" for verb in ("create", "list", "revoke", "resend", "accept")),
        *(f"/v1/api-tokens/{verb}" for verb in ("create", "list", "rotate", "revoke")),
        *(f"/v1/secrets/{verb}" for verb in ("set", "list", "delete")),
        *(f"/v1/steps/{verb}" for verb in ("list", "get")),
        *(f"/v1/blueprints/{verb}" for verb in ("create", "list", "get", "update")),
        *(f"/v1/submissions/{verb}" for verb in ("create", "upload", "list", "get")),
        *(
            f"/v1/pipeline-runs/{verb}"
            for verb in ("create", "list", "get", "cancel", "retry", "retry-rejected", "records", "export")
        ),
        *(f"/v1/step-results/{verb}" for verb in ("list", "get", "records")),
        "/v1/audit/list",
    }


def test_product_endpoints_are_post_and_only_infrastructure_is_get(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        assert set(methods) == ({"post"} if path.startswith("/v1/") else {"get"}), path
    assert {path for path in document["paths"] if not path.startswith("/v1/")} <= INFRASTRUCTURE
    for path in INFRASTRUCTURE:
        assert not path.startswith("/v1/")


@pytest.mark.parametrize("route", PRODUCT_ROUTES, ids=lambda route: route.path)
def test_endpoint_refuses_a_caller_without_a_valid_credential(
    client: TestClient, data_api: Loopback, route: APIRoute
) -> None:
    typo = generate_api_token().secret[:-1] + "!"
    expected = {
        "": "missing_credential",
        "Basic dXNlcjpwYXNz": "missing_credential",
        "Bearer": "missing_credential",
        "Bearer ": "missing_credential",
        "Bearer x.y.z": "invalid_token",
        f"Bearer {'x' * 9000}": "invalid_token",
        f"Bearer {typo}": "api_token_malformed",
    }
    for authorization, code in expected.items():
        answer = client.post(route.path, json={}, headers={"Authorization": authorization})
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, code), authorization[:40]
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert data_api.requests == []


@pytest.mark.parametrize("route", PRODUCT_ROUTES, ids=lambda route: route.path)
def test_endpoint_depends_on_an_auth_context_and_shows_it(route: APIRoute) -> None:
    assert len(CONTEXTS.intersection(dependencies(route.dependant))) == 1
    annotations = inspect.get_annotations(route.endpoint, eval_str=True).values()
    shown = [getattr(annotation, "__origin__", None) for annotation in annotations]
    assert len([kind for kind in shown if kind in (Caller, AuthContext)]) == 1


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)
def test_endpoint_and_its_dependencies_are_async(route: APIRoute) -> None:
    """The framework runs each plain function of a request in a thread pool."""
    for function in (route.endpoint, *dependencies(route.dependant)):
        called = function if inspect.isroutine(function) else type(function).__call__
        assert inspect.iscoroutinefunction(called) or inspect.isasyncgenfunction(called), function


def test_nothing_uses_the_thread_pool_that_all_requests_share() -> None:
    """A thread is never cancelled, and there are few. `api.offload` has processes, and shares of them."""
    waiting = re.compile(r"\bto_thread\(|run_in_executor\(|run_in_threadpool\(")
    found = [str(path) for path in Path("api").rglob("*.py") if waiting.search(path.read_text())]
    # At the end of the process, and uploads.
    assert set(found) <= {"api/main.py", "api/ingest/upload.py"}


def test_auth_context_has_five_fields_and_cannot_be_changed() -> None:
    assert list(AuthContext.model_fields) == ["org_id", "user_id", "company_id", "role", "auth_method"]
    context = AuthContext.model_validate(AUTH_CONTEXT)
    with pytest.raises(ValidationError, match="frozen"):
        context.role = UserRole.MEMBER  # type: ignore[misc]


def test_api_token_reaches_the_data_api_as_a_context_jwt_only(client: TestClient, data_api: Loopback) -> None:
    token = generate_api_token()
    data_api.rpc("list_companies", Answer(200, {"items": [], "next_cursor": None}))
    answer = client.post("/v1/companies/list", headers={"Authorization": f"Bearer {token.secret}"})
    assert answer.status_code == 200
    for request in data_api.requests:
        assert token.secret not in str(request)
        assert request.headers["authorization"].count(".") == 2


def test_every_operation_documents_itself(document: dict[str, Any]) -> None:
    for path, operation in operations(document):
        assert operation["summary"], path
        assert operation["tags"], path
        assert operation["security"] == [{"supabase_jwt": []}, {"api_token": []}], path
        for status in ("401", "403", "404", "409", "422", "503"):
            schema = operation["responses"][status]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/ErrorBody"}, (path, status)
    assert set(document["components"]["securitySchemes"]) == {"supabase_jwt", "api_token"}


def test_readiness_documents_its_refusal(document: dict[str, Any]) -> None:
    responses = document["paths"]["/readyz"]["get"]["responses"]
    assert responses["503"]["content"]["application/json"]["schema"] == {
        "$ref": "#/components/schemas/ErrorBody"
    }


def test_lists_answer_with_data_and_next_cursor(client: TestClient, data_api: Loopback) -> None:
    def page(request: object) -> Answer:
        return Answer(200, {"items": [], "next_cursor": "bmV4dA=="})

    for path in (route.path for route in PRODUCT_ROUTES if route.path.endswith("/list")):
        noun = path.split("/")[2].replace("-", "_").replace("audit", "audit_log")
        data_api.rpc(f"list_{noun}", page)
        body = {"pipeline_run_id": "5f0c8e8a-8d2e-4a55-9f0e-0a4a3c1c7b10"} if noun == "step_results" else {}
        answer = client.post(path, json=body)
        assert answer.json() == {"data": [], "next_cursor": "bmV4dA=="}, path


@pytest.mark.parametrize("limit", [0, 201, -1, "many", 1.5])
def test_limits_outside_their_range_are_refused(client: TestClient, limit: object) -> None:
    assert client.post("/v1/companies/list", json={"limit": limit}).status_code == 422


def test_no_route_decides_by_role() -> None:
    """Postgres decides. Python may show a role but never compares it."""
    for path in Path("api").rglob("*.py"):
        assert not re.search(
            r"\.role\b.*(==|!=| in )|context\.(role|org_id|company_id) (==|!=|is)", path.read_text()
        )
