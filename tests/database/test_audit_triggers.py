"""What is audited: each kind of change of each table, and that what only moves is not."""

from __future__ import annotations

import re
from typing import Any

import pytest

from tests.database.audit import Entry, entries, last_id, told
from tests.database.client import Client, Connection, owner, signed_in, with_token
from tests.database.pipeline import (
    INLINE,
    OUTSIDE,
    create_blueprint,
    create_run,
    records,
    submit,
    verdict,
)
from tests.tenants import Company, Org, create_org, create_token, create_user


class Since:
    """The entries of an org since this was made, or since they were last asked for."""

    def __init__(self, postgres: Client, org_id: str) -> None:
        self.postgres, self.org_id = postgres, org_id
        self.last_id = last_id(postgres)

    def __call__(self, entity: str | None = None) -> list[Entry]:
        found = entries(self.postgres, self.org_id, entity, after_id=self.last_id)
        self.last_id = last_id(self.postgres)
        return found


@pytest.fixture
def since(postgres: Client, org: Org) -> Since:
    return Since(postgres, org.id)


def rows_of(postgres: Client, table: str, **where: str) -> dict[str, Any]:
    ((column, value),) = where.items()
    found: dict[str, Any] = postgres.value(
        f"select to_jsonb(t) from public.{table} t where {column}::text = %(value)s", {"value": value}
    )
    return found


def test_an_org_is_audited_from_its_first_moment(connection: Connection, postgres: Client) -> None:
    org = create_org(connection)
    postgres.change("update public.orgs set disabled_at = now() where id = %(id)s", {"id": org.id})
    created, disabled = entries(postgres, org.id, "orgs")
    assert (created["action"], created["entity_id"], created["before"]) == ("created", org.id, None)
    assert created["after"]["slug"] == org.slug
    assert (disabled["action"], disabled["before"]) == ("updated", {"disabled_at": None})
    assert list(disabled["after"]) == ["disabled_at"]


def test_a_company_is_audited_when_it_is_made_changed_and_deleted(
    connection: Connection, postgres: Client, org: Org, since: Since
) -> None:
    company = signed_in(connection, org.admin).call("create_company", name="West", external_id="crm-1")
    postgres.change("update public.companies set name = 'East' where id = %(id)s", company)
    whole = rows_of(postgres, "companies", id=company["id"])
    postgres.change("delete from public.companies where id = %(id)s", company)
    found = since()
    assert told(found) == [("companies", action) for action in ("created", "updated", "deleted")]
    assert {(entry["company_id"], entry["entity_id"]) for entry in found} == {(company["id"], company["id"])}
    assert [(entry["before"], entry["after"]) for entry in found] == [
        (None, whole | {"name": "West"}),
        ({"name": "West"}, {"name": "East"}),
        (whole, None),
    ]


def test_a_user_is_audited_when_it_is_registered_moved_and_deactivated(
    connection: Connection, postgres: Client, org: Org, since: Since
) -> None:
    user = create_user(connection, org.id, "member", org.first.id)
    of_user = {"id": user.id, "company": org.second.id}
    for change in (
        "role = 'company_admin', company_id = %(company)s",
        "deactivated_at = now()",
        "full_name = full_name",
    ):
        postgres.change(f"update public.users set {change} where id = %(id)s", of_user)
    created, moved, deactivated = since("users")
    assert created["after"]["email"] == user.email
    assert moved["before"] == {"role": "member", "company_id": org.first.id}
    assert moved["after"] == {"role": "company_admin", "company_id": org.second.id}
    assert moved["company_id"] == org.second.id
    assert list(deactivated["after"]) == ["deactivated_at"]


def test_an_api_token_is_audited_without_its_hash_and_without_its_use(
    connection: Connection, org: Org, since: Since
) -> None:
    token = create_token(connection, org.admin)
    with_token(connection, token).call("auth_context")
    signed_in(connection, org.admin).call("revoke_api_token", api_token_id=token.id)
    created, revoked = since("api_tokens")
    assert created["after"]["id"] == created["entity_id"] == token.id
    assert not {"token_hash", "last_used_at"} & set(created["after"])
    assert (list(revoked["before"]), list(revoked["after"])) == (["revoked_at"], ["revoked_at"])


def test_a_secret_is_audited_by_name_even_if_only_its_value_changes(
    connection: Connection, org: Org, since: Since
) -> None:
    admin = signed_in(connection, org.admin)
    for value in ("first", "second"):
        admin.call("set_secret", name="signing", value=value)
    admin.call("delete_secret", name="signing")
    found = since()
    assert told(found) == [("secrets", action) for action in ("created", "updated", "deleted")]
    assert {entry["entity_id"] for entry in found} == {"signing"}
    assert all("value" not in (entry["before"] or {}) | (entry["after"] or {}) for entry in found)


def test_a_blueprint_is_audited_with_its_steps_as_they_were_and_are(
    connection: Connection, worker: Client, org: Org, since: Since
) -> None:
    admin = signed_in(connection, org.admin)
    blueprint = create_blueprint(
        admin, {"slug": INLINE}, {"slug": OUTSIDE, "config": {"secret_name": "signing"}}
    )
    created, steps = since()
    assert told([created, steps]) == [("blueprints", "created"), ("blueprint_steps", "created")]
    assert created["entity_id"] == steps["entity_id"] == blueprint["id"]
    assert not {"version_xact", "updated_at"} & set(created["after"])
    assert [(item["position"], item["step_slug"], item["config"]) for item in steps["after"]] == [
        (1, INLINE, {}),
        (2, OUTSIDE, {"secret_name": "signing"}),
    ]

    admin.call("update_blueprint", blueprint_id=blueprint["id"], name="Renamed", steps=[{"slug": INLINE}])
    found = since()
    assert told(found) == [
        ("blueprints", "updated"),
        ("blueprint_steps", "deleted"),
        ("blueprint_steps", "created"),
    ]
    assert (found[0]["before"]["name"], found[0]["after"]["name"]) == (blueprint["name"], "Renamed")
    assert found[1]["before"] == steps["after"]
    assert [item["step_slug"] for item in found[2]["after"]] == [INLINE]


def test_an_edit_of_fifty_steps_is_a_few_entries(
    connection: Connection, worker: Client, org: Org, since: Since
) -> None:
    admin = signed_in(connection, org.admin)
    blueprint = create_blueprint(admin, *[{"slug": INLINE}] * 50)
    since()
    admin.call("update_blueprint", blueprint_id=blueprint["id"], steps=[{"slug": INLINE}] * 50)
    deleted, created = since("blueprint_steps")
    assert (len(deleted["before"]), len(created["after"])) == (50, 50)


def test_a_step_that_an_operator_moves_is_audited_once(
    connection: Connection, postgres: Client, blueprint_id: str, since: Since
) -> None:
    statement = "update public.blueprint_steps set position = position + 10 where blueprint_id = %(id)s"
    since()
    postgres.change(statement, {"id": blueprint_id})
    (moved,) = since("blueprint_steps")
    assert [[item["position"] for item in moved[side]] for side in ("before", "after")] == [[1, 2], [11, 12]]
    postgres.change(statement.replace("+ 10", "+ 0"), {"id": blueprint_id})
    assert since("blueprint_steps") == []


def test_a_statement_over_many_blueprints_is_an_entry_for_each(
    connection: Connection, postgres: Client, worker: Client, org: Org, since: Since
) -> None:
    admin = signed_in(connection, org.admin)
    made = {create_blueprint(admin)["id"] for _ in range(3)}
    since()
    admin.change("delete from public.blueprint_steps")
    assert {entry["entity_id"] for entry in since("blueprint_steps")} >= made


def test_a_run_is_audited_by_its_states_and_not_by_its_work(
    worker: Client, org: Org, company: Company, since: Since
) -> None:
    run = create_run(worker, org, company, {"slug": INLINE}, count=2500)
    assert told(since())[2:] == [
        ("submissions", "created"),
        ("submissions", "updated"),
        ("pipeline_runs", "created"),
    ]
    run.take("run_first")
    (claimed,) = since()
    assert claimed["before"] == {"status": "queued", "trigger_run_id": None, "started_at": None}
    assert claimed["after"].keys() == claimed["before"].keys()
    assert (claimed["after"]["status"], claimed["after"]["trigger_run_id"]) == ("running", "run_first")
    assert (claimed["entity_id"], claimed["company_id"]) == (run.id, company.id)

    run.start(1)
    for chunk_index in range(3):
        run.on_run("heartbeat", lease_seconds=600 + chunk_index)
        first = chunk_index * 1000 + 1
        last = min(first + 999, 2500)
        run.write(1, records(*range(first + 1, last + 1)), chunk_index, rejected=[verdict(first)])
    run.on_step("finish_step", 1)
    run.take("run_first")  # the next attempt of the same Trigger.dev run
    assert since() == []

    run.on_run("finish_pipeline_run")
    (finished,) = since()
    assert finished["before"] == {"status": "running", "finished_at": None}
    assert finished["after"]["status"] == "succeeded"


def test_a_new_run_is_audited_without_its_snapshot(
    worker: Client, org: Org, company: Company, since: Since
) -> None:
    create_run(worker, org, company)
    created = since("pipeline_runs")[0]["after"]
    assert created["blueprint_version"] == 1
    assert not {"blueprint_snapshot", "claim_id", "lease_expires_at", "dispatched_at"} & set(created)


def test_dispatch_takeover_failure_and_cancellation_are_audited(
    connection: Connection, postgres: Client, worker: Client, org: Org, company: Company, since: Since
) -> None:
    run = create_run(worker, org, company)
    member = signed_in(connection, company.member)
    since()
    member.call("mark_pipeline_run_dispatched", pipeline_run_id=run.id, trigger_run_id="run_first")
    (dispatched,) = since()
    assert (dispatched["actor_user_id"], dispatched["after"]) == (
        company.member.id,
        {"trigger_run_id": "run_first"},
    )
    run.take("run_first")
    since()
    postgres.change(
        "update public.pipeline_runs set lease_expires_at = now() where id = %(id)s", {"id": run.id}
    )
    assert since() == []
    run.take("run_second")
    (taken,) = since()
    assert taken["after"] == {"trigger_run_id": "run_second", "restart_count": 1}
    run.start(1)
    run.on_step("fail_step", 1, error={"code": "webhook_rejected", "message": "No."})
    (failed,) = since()
    assert (failed["after"]["status"], failed["after"]["error"]["code"]) == ("failed", "webhook_rejected")

    other = submit(member, company.id, run.pipeline_run["blueprint_id"])["pipeline_run"]
    since()
    member.call("cancel_pipeline_run", pipeline_run_id=other["id"])
    (cancelled,) = since()
    assert (cancelled["actor_user_id"], cancelled["after"]["status"]) == (company.member.id, "cancelled")


def test_an_upload_is_audited_when_it_opens_and_ends(
    connection: Connection, member: Client, blueprint_id: str, company: Company, since: Since
) -> None:
    since()
    opened = member.call(
        "open_submission", company_id=company.id, blueprint_id=blueprint_id, source="csv", fields=["a"]
    )["submission"]
    for chunk_index in range(3):
        member.call(
            "append_submission_chunk",
            submission_id=opened["id"],
            chunk_index=chunk_index,
            records=records(2 * chunk_index + 1),
            rejected=[verdict(2 * chunk_index + 2, "malformed_row")],
        )
    (created,) = since()
    assert not {"fields", "record_count", "rejected_count", "chunk_count"} & set(created["after"])
    member.call("finalize_submission", submission_id=opened["id"], fields=["a", "b"])
    received = since("submissions")[0]
    assert set(received["after"]) == {"status", "received_at"}


def test_a_change_that_changes_nothing_is_no_entry(
    connection: Connection, postgres: Client, worker: Client, org: Org, company: Company, since: Since
) -> None:
    create_run(worker, org, company)
    create_token(connection, org.admin)
    since()
    for table in ("orgs", "companies", "users", "api_tokens", "blueprints", "pipeline_runs"):
        where = "id" if table == "orgs" else "org_id"
        postgres.change(
            f"update public.{table} set created_at = created_at where {where} = %(id)s", {"id": org.id}
        )
    assert since() == []


MUTABLE = {
    "pipeline_runs": ("private.guard_pipeline_run", {"started_at", "finished_at"}),
    "submissions": ("private.guard_submission", {"received_at"}),
}


@pytest.mark.parametrize("table", MUTABLE)
def test_whatever_may_change_is_audited_or_said_to_be_left_out(connection: Connection, table: str) -> None:
    """A trigger's condition names columns: one that a later migration lets change must not be forgotten."""
    guard, with_status = MUTABLE[table]
    postgres = owner(connection)
    body = postgres.value("select prosrc from pg_proc where oid = %(name)s::regproc", {"name": guard})
    definition = postgres.value(
        "select pg_get_triggerdef(oid) from pg_trigger where tgname = %(name)s",
        {"name": f"{table}_audit_update"},
    )
    changing = {name for text in re.findall(r"'\{([a-z_,]+)\}'", body) for name in text.split(",")}
    audited = set(re.findall(r"new\.([a-z_]+)", definition))
    left_out = {name for text in re.findall(r"'\{([a-z_,]+)\}'", definition) for name in text.split(",")}
    assert changing
    assert changing <= audited | left_out | with_status, "audit it or name it as left out"
    assert not audited & left_out
