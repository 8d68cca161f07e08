"""Each kind of change of each table is audited. Submissions and runs are in test_audit_runs.py."""

from __future__ import annotations

from typing import Any

from tests.database.audit import Since, actor, entries, told
from tests.support.pipeline import (
    INLINE,
    OUTSIDE,
    create_blueprint,
    create_run,
)
from tests.support.sql_client import Client, Connection, signed_in, with_token
from tests.support.tenants import Company, Org, create_identity, create_org, create_token, create_user


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


def test_an_invitation_is_audited_from_issue_to_acceptance(
    connection: Connection, org: Org, since: Since
) -> None:
    admin, newcomer = signed_in(connection, org.admin), create_identity(connection, org.id)
    invited = admin.call("create_invitation", email=newcomer.email, role="member", company_id=org.first.id)
    (created,) = since()
    assert (created["entity_id"], created["company_id"]) == (invited["id"], org.first.id)
    assert (created["actor_user_id"], created["after"]["email"]) == (org.admin.id, newcomer.email)

    # An identity that becomes a user during the call is named as that user.
    signed_in(connection, newcomer).call("accept_invitation")
    admitted, accepted = since()
    assert told([admitted, accepted]) == [("users", "created"), ("invitations", "updated")]
    assert actor(admitted) == actor(accepted) == ("user", newcomer.id, None, newcomer.email)
    assert set(accepted["after"]) == {"accepted_at", "accepted_by"}

    again = admin.call("create_invitation", email="grace@example.com", role="org_admin")
    admin.call("revoke_invitation", invitation_id=again["id"])
    issued, revoked = since("invitations")
    assert (issued["company_id"], list(revoked["after"])) == (None, ["revoked_at"])


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

    changed = [{"slug": INLINE, "config": {"n": 1}}]
    admin.call("update_blueprint", blueprint_id=blueprint["id"], name="Renamed", steps=changed)
    found = since()
    assert told(found) == [
        ("blueprints", "updated"),
        ("blueprint_steps", "deleted"),
        ("blueprint_steps", "created"),
    ]
    assert (found[0]["before"]["name"], found[0]["after"]["name"]) == (blueprint["name"], "Renamed")
    assert found[1]["before"] == steps["after"]
    assert [item["step_slug"] for item in found[2]["after"]] == [INLINE]


def test_an_edit_is_audited_with_the_steps_that_it_changed(
    connection: Connection, worker: Client, org: Org, since: Since
) -> None:
    admin = signed_in(connection, org.admin)
    steps = [{"slug": INLINE, "config": {"n": number}} for number in range(3)]
    blueprint = create_blueprint(admin, *steps)
    steps[1]["config"] = {"n": 9, "long": "x" * 5000}
    since()
    admin.call("update_blueprint", blueprint_id=blueprint["id"], steps=steps)
    deleted, created = since("blueprint_steps")
    assert [(item["position"], item["config"]) for item in deleted["before"]] == [(2, {"n": 1})]
    (changed,) = created["after"]
    assert (changed["position"], changed["config"]["keys"]) == (2, ["long", "n"])
    assert changed["config"]["bytes"] > 5000
    assert len(changed["config"]["sha256"]) == 64
    admin.call("update_blueprint", blueprint_id=blueprint["id"], steps=steps[:2])
    (shortened,) = since("blueprint_steps")
    assert [item["position"] for item in shortened["before"]] == [3]


def test_an_edit_of_fifty_steps_is_a_few_entries(
    connection: Connection, worker: Client, org: Org, since: Since
) -> None:
    admin = signed_in(connection, org.admin)
    blueprint = create_blueprint(admin, *[{"slug": INLINE}] * 50)
    since()
    changed = [{"slug": INLINE, "config": {"n": 1}}] * 50
    admin.call("update_blueprint", blueprint_id=blueprint["id"], steps=changed)
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


def test_an_update_that_changes_nothing_is_no_entry(
    connection: Connection, postgres: Client, worker: Client, org: Org, company: Company, since: Since
) -> None:
    create_run(worker, org, company)
    create_token(connection, org.admin)
    signed_in(connection, org.admin).call("create_invitation", email="grace@example.com", role="org_admin")
    since()
    for table in ("orgs", "companies", "users", "invitations", "api_tokens", "blueprints", "pipeline_runs"):
        where = "id" if table == "orgs" else "org_id"
        postgres.change(
            f"update public.{table} set created_at = created_at where {where} = %(id)s", {"id": org.id}
        )
    assert since() == []
