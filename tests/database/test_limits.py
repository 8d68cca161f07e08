"""The API and the steps allow exactly what the check constraints allow. SQL is the authority."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from psycopg import errors
from pydantic import TypeAdapter

from api import main  # noqa: F401 (imports every request model)
from api.idempotency import IdempotencyKey
from api.models.blueprints import Backoff, BlueprintStepInput, CreateBlueprint, Retry
from api.models.pipeline_runs import ListPipelineRunRecords
from api.models.requests import PageRequest, RequestModel
from api.models.step_results import ListStepResultRecords
from api.models.submissions import MAX_RECORDS
from api.routes import submissions
from tests.support.pipeline import INLINE, create_blueprint, submit
from tests.support.sql_client import Client, Connection, owner, refused, signed_in, violates
from tests.support.tenants import Company, Org

DELIVER_WEBHOOK = Path(__file__).parents[2] / "trigger/src/tasks/steps/deliver-webhook/config.ts"
# Request model → the table whose columns have the names of its text fields.
TABLES = {
    "CreateApiToken": "public.api_tokens",
    "CreateBlueprint": "public.blueprints",
    "UpdateBlueprint": "public.blueprints",
    "BlueprintStepInput": "public.steps",
    "GetStep": "public.steps",
    "CreateCompany": "public.companies",
    "CreateInvitation": "public.invitations",
    "UpdateUser": "public.users",
    "SetSecret": "public.secrets",
    "DeleteSecret": "public.secrets",
    "CreateSubmission": "public.submissions",
    "RetryRejectedRecords": "public.submissions",
    "UploadSubmission": "public.submissions",
    "ListAuditLog": "public.audit_log",
}
OTHER_TABLES = {("BlueprintStepInput", "run_if"): "public.blueprint_steps"}
# Not stored: SQL checks the content of a cursor, and the others say how to read a file.
NOT_A_COLUMN = {"cursor", "encoding", "delimiter", "sheet"}


@dataclass(frozen=True)
class Limits:
    least: int | None = None
    most: int | None = None
    pattern: str | None = None


def request_models(model: type[RequestModel] = RequestModel) -> Iterator[type[RequestModel]]:
    for child in model.__subclasses__():
        yield child
        yield from request_models(child)


def text_of(schema: dict[str, Any]) -> dict[str, Any] | None:
    """The part of a field's JSON Schema that describes free text, or None."""
    for option in schema.get("anyOf", [schema]):
        is_text = option.get("type") == "string" and not option.keys() & {"enum", "const"}
        if is_text and option.get("format") in {None, "password"}:
            return dict(option)
    return None


def text_fields() -> dict[tuple[str, str], Limits]:
    found = {}
    for model in request_models():
        for name, schema in model.model_json_schema()["properties"].items():
            if name not in NOT_A_COLUMN and (text := text_of(schema)):
                found[model.__name__, name] = limits_of_schema(text)
    return found


def limits_of_schema(text: dict[str, Any]) -> Limits:
    return Limits(text.get("minLength"), text.get("maxLength"), text.get("pattern"))


def limits_of_column(connection: Connection, table: str, column: str) -> Limits:
    rules = " ".join(
        row["rule"]
        for row in owner(connection).rows(
            """
            select pg_get_constraintdef(c.oid) as rule
            from pg_constraint c
            join pg_attribute a on a.attrelid = c.conrelid and c.conkey = array[a.attnum]
            where c.contype = 'c' and c.conrelid = %(table)s::regclass and a.attname = %(column)s
            """,
            {"table": table, "column": column},
        )
    )
    measured = rf'(?:length\((?:btrim\()?{column}\)+|"?{column}"?)'
    least = re.search(rf"{measured} >= (\d+)", rules)
    most = re.search(rf"{measured} <= (\d+)", rules)
    pattern = re.search(r"~ '([^']*)'::text", rules)
    return Limits(
        int(least[1]) if least else None, int(most[1]) if most else None, pattern[1] if pattern else None
    )


@pytest.mark.parametrize(("model", "field"), text_fields())
def test_a_text_field_is_limited_as_its_column_is(connection: Connection, model: str, field: str) -> None:
    assert model in TABLES, f"name the table of {model}, so that its limits can be compared"
    table = OTHER_TABLES.get((model, field), TABLES[model])
    expected = limits_of_column(connection, table, field)
    assert expected != Limits(), f"{table}.{field} has no check constraint"
    assert text_fields()[model, field] == expected


def test_no_table_is_named_for_a_model_that_does_not_exist() -> None:
    assert TABLES.keys() == {model for model, _ in text_fields()}


def test_the_form_field_of_an_upload_is_documented_with_its_limit(connection: Connection) -> None:
    (upload,) = (r for r in submissions.router.routes if isinstance(r, APIRoute) and "upload" in r.path)
    body = (upload.openapi_extra or {})["requestBody"]["content"]["multipart/form-data"]["schema"]
    most = limits_of_column(connection, "public.submissions", "name").most
    assert body["properties"]["name"]["maxLength"] == most


def test_an_idempotency_key_is_as_long_as_its_column(connection: Connection) -> None:
    column = limits_of_column(connection, "private.idempotency_keys", "key")
    header = text_of(TypeAdapter(IdempotencyKey).json_schema())
    assert header is not None
    assert header["pattern"].endswith(f"{{{column.least},{column.most}}}$")


def test_a_webhooks_secret_is_named_as_secrets_are(connection: Connection) -> None:
    (pattern,) = re.findall(r"secret_name: z\s*\.string\(\)\s*\.regex\(/(.+)/\)", DELIVER_WEBHOOK.read_text())
    assert Limits(pattern=pattern) == limits_of_column(connection, "public.secrets", "name")


def test_a_blueprint_has_as_many_steps_as_there_are_positions(connection: Connection) -> None:
    steps = CreateBlueprint.model_json_schema()["properties"]["steps"]
    column = limits_of_column(connection, "public.blueprint_steps", "position")
    assert (steps["minItems"], steps["maxItems"]) == (column.least, column.most)


@pytest.mark.parametrize("field", ["timeout_seconds", "concurrency"])
def test_a_number_of_a_step_is_limited_as_its_column_is(connection: Connection, field: str) -> None:
    (schema, _) = BlueprintStepInput.model_json_schema()["properties"][field]["anyOf"]
    column = limits_of_column(connection, "public.blueprint_steps", field)
    assert (schema["minimum"], schema["maximum"]) == (column.least, column.most)


@pytest.mark.parametrize("field", list(Backoff.model_fields))
def test_a_backoff_is_limited_as_sql_limits_it(
    connection: Connection, worker: Client, org: Org, field: str
) -> None:
    schema = Backoff.model_json_schema()["properties"][field]
    admin = signed_in(connection, org.admin)

    def save(value: float) -> None:
        retry = {"max_attempts": 2, "backoff": {field: value}}
        create_blueprint(admin, {"slug": INLINE, "retry": retry}, name=f"{field} {value}")

    for allowed in (schema["minimum"], schema["maximum"]):
        save(allowed)
    for too_far in (schema["minimum"] - 0.01, schema["maximum"] + 1):
        with violates(errors.CheckViolation):
            save(too_far)


def test_a_step_is_tried_as_often_as_sql_allows(connection: Connection, worker: Client, org: Org) -> None:
    attempts = Retry.model_json_schema()["properties"]["max_attempts"]
    admin = signed_in(connection, org.admin)
    for allowed in (attempts["minimum"], attempts["maximum"]):
        create_blueprint(
            admin, {"slug": INLINE, "retry": {"max_attempts": allowed}}, name=f"{allowed} attempts"
        )
    for refused_number in (attempts["minimum"] - 1, attempts["maximum"] + 1):
        with violates(errors.CheckViolation):
            create_blueprint(admin, {"slug": INLINE, "retry": {"max_attempts": refused_number}}, name="x")


def test_a_page_is_as_long_as_sql_allows(
    connection: Connection, blueprint_id: str, org: Org, company: Company
) -> None:
    admin = signed_in(connection, org.admin)
    run = submit(admin, company.id, blueprint_id)["pipeline_run"]
    of_run = {"pipeline_run_id": run["id"], "kind": "rejected"}
    of_step = {"step_result_id": run["steps"][0]["id"], "kind": "rejected"}
    for model, function, arguments in (
        (PageRequest, "list_companies", {}),
        (ListPipelineRunRecords, "list_pipeline_run_records", of_run),
        (ListStepResultRecords, "list_step_result_records", of_step),
    ):
        limit = model.model_json_schema()["properties"]["limit"]
        for allowed in (limit["minimum"], limit["maximum"]):
            assert "items" in admin.call(function, limit=allowed, **arguments)
        for too_far in (limit["minimum"] - 1, limit["maximum"] + 1):
            with refused(422, "invalid_request"):
                admin.call(function, limit=too_far, **arguments)


def test_a_submission_has_as_many_records_as_sql_takes(
    connection: Connection, blueprint_id: str, org: Org, company: Company
) -> None:
    admin = signed_in(connection, org.admin)
    assert submit(admin, company.id, blueprint_id, count=MAX_RECORDS)
    with refused(413, "payload_too_large"):
        submit(admin, company.id, blueprint_id, count=MAX_RECORDS + 1)
