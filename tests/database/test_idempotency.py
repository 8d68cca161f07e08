"""Idempotency keys: the same call with the same key happens once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from psycopg import errors

from tests.support.pipeline import INLINE, Run, create_blueprint, create_run, records, submit, verdict
from tests.support.sql_client import Client, Connection, refused, signed_in, violates, with_token
from tests.support.tenants import Company, Org, Tenants, create_token, create_user

Call = Callable[[Client, dict[str, Any]], Any]


@pytest.fixture
def calls(connection: Connection, worker: Client, org: Org, company: Company) -> dict[str, Call]:
    """Every creating RPC that takes a key, with an argument that tells two calls apart."""
    run = create_run(worker, org, company)
    # A run is retried once, and so are its rejected records: each key gets its own run.
    failed = {
        key: fail_after_a_rejection(create_run(worker, org, company)) for key in ("key", "key-1", "key-2")
    }
    blueprint_id = run.pipeline_run["blueprint_id"]
    return {
        "create_company": lambda client, key: client.call("create_company", name="A", **key),
        "create_invitation": lambda client, key: client.call(
            "create_invitation", email=f"{key['idempotency_key']}@example.com", role="org_admin", **key
        ),
        "create_blueprint": lambda client, key: client.call(
            "create_blueprint", name=f"B {key}", steps=[{"slug": INLINE}], **key
        ),
        "create_submission": lambda client, key: submit(client, company.id, blueprint_id, **key),
        "create_pipeline_run": lambda client, key: client.call(
            "create_pipeline_run", submission_id=run.submission["id"], **key
        ),
        "retry_pipeline_run": lambda client, key: client.call(
            "retry_pipeline_run", pipeline_run_id=failed[key["idempotency_key"]].id, **key
        ),
        "retry_rejected_records": lambda client, key: client.call(
            "retry_rejected_records", pipeline_run_id=failed[key["idempotency_key"]].id, **key
        ),
    }


def fail_after_a_rejection(run: Run) -> Run:
    run.take()
    run.start(1)
    run.write(1, records(1, 2), rejected=[verdict(3)])
    run.on_step("fail_step", 1, error={"code": "broken", "message": "It broke."})
    return run


CREATING = [
    "create_company",
    "create_invitation",
    "create_blueprint",
    "create_submission",
    "create_pipeline_run",
    "retry_pipeline_run",
    "retry_rejected_records",
]


def test_every_rpc_with_a_key_is_tried_here(postgres: Client) -> None:
    taking = postgres.rows(
        "select proname::text as name from pg_proc "
        "where pronamespace = 'public'::regnamespace and 'p_idempotency_key' = any (proargnames)"
    )
    assert {row["name"] for row in taking} == {*CREATING, "open_submission"}


@pytest.mark.parametrize("name", CREATING)
def test_a_repeated_call_returns_the_first_result(
    connection: Connection, org: Org, calls: dict[str, Call], name: str
) -> None:
    admin = signed_in(connection, org.admin)
    key = {"idempotency_key": "key-1", "request_hash": "hash"}
    first = calls[name](admin, key)
    assert calls[name](admin, key) == first
    other = {"idempotency_key": "key-2", "request_hash": "hash"}
    assert calls[name](admin, other) != first


@pytest.mark.parametrize("name", CREATING)
@pytest.mark.parametrize("request_hash", ["another hash", None])
def test_a_key_with_another_body_is_refused(
    connection: Connection, org: Org, calls: dict[str, Call], name: str, request_hash: str | None
) -> None:
    admin = signed_in(connection, org.admin)
    calls[name](admin, {"idempotency_key": "key", "request_hash": "hash"})
    with refused(409, "idempotency_key_reused"):
        calls[name](admin, {"idempotency_key": "key", "request_hash": request_hash})


def test_a_key_belongs_to_one_user_and_one_operation(
    connection: Connection, org: Org, tenants: Tenants, calls: dict[str, Call]
) -> None:
    key = {"idempotency_key": "key", "request_hash": "hash"}
    first = calls["create_company"](signed_in(connection, org.admin), key)
    other = calls["create_company"](signed_in(connection, tenants.other.admin), key)
    assert other["org_id"] == tenants.other.id != first["org_id"]
    calls["create_submission"](signed_in(connection, org.admin), key)
    by_member = calls["create_submission"](signed_in(connection, org.first.member), key)
    assert by_member["submission"]["created_by"] == org.first.member.id


def test_the_credentials_of_a_user_do_not_share_its_keys(
    connection: Connection, worker: Client, org: Org
) -> None:
    """Two tokens of one creator may be narrowed to two companies, and neither may learn of the other."""
    blueprint_id = create_blueprint(signed_in(connection, org.admin))["id"]
    made = set()
    for company in (org.first, org.second):
        token = create_token(connection, org.admin, role="member", company_id=company.id)
        client = with_token(connection, token)
        key: dict[str, Any] = {"idempotency_key": "key", "request_hash": company.id}
        first = submit(client, company.id, blueprint_id, **key)
        assert submit(client, company.id, blueprint_id, **key)["submission"] == first["submission"]
        made.add(first["submission"]["id"])
    by_session = submit(
        signed_in(connection, org.admin), org.first.id, blueprint_id, idempotency_key="key", request_hash="x"
    )
    assert len(made | {by_session["submission"]["id"]}) == 3


def test_a_replay_shows_nothing_that_the_caller_may_not_see_any_more(
    connection: Connection, postgres: Client, org: Org, calls: dict[str, Call]
) -> None:
    key = {"idempotency_key": "key", "request_hash": "hash"}
    user = org.first.member
    calls["create_submission"](signed_in(connection, user), key)
    postgres.change(
        "update public.users set company_id = %(company)s where id = %(id)s",
        {"company": org.second.id, "id": user.id},
    )
    with refused(404, "submission_not_found"):
        calls["create_submission"](signed_in(connection, user), key)


def test_a_replay_is_no_way_around_a_lost_role(
    connection: Connection, postgres: Client, org: Org, calls: dict[str, Call]
) -> None:
    key = {"idempotency_key": "key", "request_hash": "hash"}
    admin = signed_in(connection, org.admin)
    calls["create_company"](admin, key)
    calls["create_invitation"](admin, key)
    create_user(connection, org.id, "org_admin")
    postgres.change(
        "update public.users set role = 'member', company_id = %(company)s where id = %(id)s",
        {"company": org.first.id, "id": org.admin.id},
    )
    for name in ("create_company", "create_invitation"):
        with refused(403, "forbidden"):
            calls[name](admin, key)


def test_a_failed_call_does_not_use_up_its_key(connection: Connection, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    key = {"idempotency_key": "key", "request_hash": "hash"}
    admin.call("create_company", name="A", external_id="taken")
    with refused(409, "conflict"):
        admin.call("create_company", name="B", external_id="taken", **key)
    assert admin.call("create_company", name="B", external_id="free", **key)["external_id"] == "free"


def test_a_replayed_submission_shows_its_run_as_it_is_now(
    connection: Connection, org: Org, calls: dict[str, Call]
) -> None:
    member = signed_in(connection, org.first.member)
    key = {"idempotency_key": "key", "request_hash": "hash"}
    run_id = calls["create_submission"](member, key)["pipeline_run"]["id"]
    member.call("cancel_pipeline_run", pipeline_run_id=run_id)
    replayed = calls["create_submission"](member, key)["pipeline_run"]
    assert (replayed["id"], replayed["status"]) == (run_id, "cancelled")


def test_an_upload_is_resumed_while_it_is_receiving_and_replayed_once_it_is_received(
    connection: Connection, worker: Client, org: Org, company: Company
) -> None:
    member = signed_in(connection, company.member)
    blueprint = create_blueprint(signed_in(connection, org.admin))

    def open_upload() -> dict[str, Any]:
        opened: dict[str, Any] = member.call(
            "open_submission",
            company_id=company.id,
            blueprint_id=blueprint["id"],
            source="csv",
            idempotency_key="key",
            request_hash="hash",
        )
        return opened

    upload = open_upload()["submission"]["id"]
    member.call("append_submission_chunk", submission_id=upload, chunk_index=0, records=records(1))
    resumed = open_upload()
    assert (resumed["submission"]["id"], resumed["replayed"]) == (upload, False)
    member.call("append_submission_chunk", submission_id=upload, chunk_index=0, records=records(1))
    finished = member.call("finalize_submission", submission_id=upload)
    assert open_upload() == {**finished, "replayed": True}


@pytest.mark.parametrize("key", ["", "x" * 256])
def test_a_key_has_between_1_and_255_characters(connection: Connection, org: Org, key: str) -> None:
    with violates(errors.CheckViolation):
        signed_in(connection, org.admin).call("create_company", name="A", idempotency_key=key)
