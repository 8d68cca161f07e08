"""Blueprints: org_admins edit them in place, each edit is one version, and existing runs do not see it."""

from __future__ import annotations

from typing import Any

import pytest
from psycopg import errors

from tests.support.pipeline import INLINE, OUTSIDE, create_blueprint, create_run, step, submit
from tests.support.sql_client import Client, Connection, denied, refused, signed_in, violates, with_token
from tests.support.tenants import Company, Org, create_token


@pytest.fixture
def admin(connection: Connection, worker: Client, org: Org) -> Client:
    return signed_in(connection, org.admin)


def version_of(client: Client, blueprint: dict[str, Any]) -> int:
    version: int = client.call("get_blueprint", blueprint_id=blueprint["id"])["version"]
    return version


def in_an_earlier_transaction(postgres: Client, blueprint: dict[str, Any]) -> None:
    """Makes the next edit another version: a test runs in one transaction, whose edits count as one."""
    with postgres.connection.transaction():
        postgres.connection.execute("alter table public.blueprints disable trigger blueprints_version")
        postgres.connection.execute(
            "update public.blueprints set version_xact = '1' where id = %s", (blueprint["id"],)
        )
        postgres.connection.execute("alter table public.blueprints enable trigger blueprints_version")


def test_an_org_admin_creates_a_blueprint_of_pinned_steps(worker: Client, admin: Client, org: Org) -> None:
    worker.call("worker.publish_steps", steps=[step(INLINE, "1.1.0")])
    wanted = [
        {"slug": INLINE, "config": {"a": 1}},
        {"slug": INLINE, "version": "1.0.0", "retry": {"max_attempts": 10}},
        {"slug": OUTSIDE, "config": None, "retry": None},
    ]
    blueprint = admin.call("create_blueprint", name=" Clean up ", description="Weekly.", steps=wanted)
    assert (blueprint["name"], blueprint["version"], blueprint["step_count"]) == ("Clean up", 1, 3)
    assert blueprint["created_by"] == org.admin.id
    pinned = [(s["position"], s["slug"], s["version"], s["config"], s["retry"]) for s in blueprint["steps"]]
    assert pinned == [
        (1, INLINE, "1.1.0", {"a": 1}, None),
        (2, INLINE, "1.0.0", {}, {"max_attempts": 10}),
        (3, OUTSIDE, "1.0.0", {}, None),
    ]


def test_everybody_in_the_org_reads_a_blueprint_and_only_org_admins_edit_it(
    connection: Connection, admin: Client, org: Org
) -> None:
    blueprint = create_blueprint(admin)
    narrowed = create_token(connection, org.admin, role="company_admin", company_id=org.first.id)
    clients = [*(signed_in(connection, user) for user in org.first.users), with_token(connection, narrowed)]
    for client in clients:
        assert client.call("get_blueprint", blueprint_id=blueprint["id"]) == blueprint
        with refused(403, "forbidden"):
            create_blueprint(client)
        with refused(403, "forbidden"):
            client.call("update_blueprint", blueprint_id=blueprint["id"], name="mine")
        with denied():
            client.change("insert into public.blueprints (name) values ('mine')")
        assert client.change("update public.blueprints set name = 'mine'") == 0
        assert client.change("delete from public.blueprint_steps") == 0


@pytest.mark.parametrize("steps", [[], {}, [{"slug": INLINE}] * 51])
def test_a_blueprint_has_one_to_fifty_steps(admin: Client, steps: Any) -> None:  # noqa: ANN401
    with refused(422, "invalid_request"):
        admin.call("create_blueprint", name="x", steps=steps)


@pytest.mark.parametrize("wanted", [{"slug": "no-such"}, {"slug": INLINE, "version": "9.9.9"}, {}, "text"])
def test_a_step_that_is_not_published_is_unknown(admin: Client, wanted: Any) -> None:  # noqa: ANN401
    with refused(422, "unknown_step"):
        admin.call("create_blueprint", name="x", steps=[{"slug": INLINE}, wanted])


@pytest.mark.parametrize(
    "retry", [{}, {"max_attempts": 0}, {"max_attempts": 11}, {"max_attempts": "3"}, {"max_attempts": 1.5}, 3,
              {"max_attempts": 2, "more": 1}, {"max_attempts": None}]
)  # fmt: skip
def test_a_retry_is_a_number_of_attempts_from_one_to_ten(admin: Client, retry: Any) -> None:  # noqa: ANN401
    with violates(errors.CheckViolation):
        create_blueprint(admin, {"slug": INLINE, "retry": retry})


@pytest.mark.parametrize("config", [[], "text", 1, {"long": "x" * 262144}])
def test_a_config_is_an_object_of_at_most_256_kilobytes(admin: Client, config: Any) -> None:  # noqa: ANN401
    with violates(errors.CheckViolation):
        create_blueprint(admin, {"slug": INLINE, "config": config})


def test_a_name_is_unique_within_an_org(admin: Client) -> None:
    create_blueprint(admin, name="Weekly")
    other = create_blueprint(admin, name="Daily")
    taken = {"field": "name"}
    with refused(409, "conflict", taken):
        create_blueprint(admin, name=" Weekly ")
    with refused(409, "conflict", taken):
        admin.call("update_blueprint", blueprint_id=other["id"], name="Weekly")
    assert admin.call("get_blueprint", blueprint_id=other["id"])["name"] == "Daily"
    admin.call("update_blueprint", blueprint_id=other["id"], name="Daily", description="its own name")


def test_a_version_counts_edits_once_per_transaction(admin: Client, postgres: Client) -> None:
    blueprint = create_blueprint(admin)
    assert version_of(admin, blueprint) == 1
    in_an_earlier_transaction(postgres, blueprint)
    changed = admin.call(
        "update_blueprint", blueprint_id=blueprint["id"], name="New", steps=[{"slug": OUTSIDE}]
    )
    assert (changed["version"], changed["name"], changed["step_count"]) == (2, "New", 1)
    admin.call("update_blueprint", blueprint_id=blueprint["id"], description="again")
    assert version_of(admin, blueprint) == 2
    in_an_earlier_transaction(postgres, blueprint)
    admin.call("update_blueprint", blueprint_id=blueprint["id"], description="and later")
    assert version_of(admin, blueprint) == 3


@pytest.mark.parametrize(
    "edit",
    [
        "delete from public.blueprint_steps where blueprint_id = %(id)s and position = 1",
        "insert into public.blueprint_steps (blueprint_id, position, step_slug, step_version) "
        f"values (%(id)s, 9, '{INLINE}', '1.0.0')",
        "update public.blueprints set description = 'direct' where id = %(id)s",
    ],
)
def test_an_edit_past_the_rpc_is_a_new_version_too(admin: Client, postgres: Client, edit: str) -> None:
    blueprint = create_blueprint(admin)
    in_an_earlier_transaction(postgres, blueprint)
    assert admin.change(edit, {"id": blueprint["id"]}) == 1
    assert version_of(admin, blueprint) == 2


def test_an_operators_edit_of_a_step_is_a_new_version_too(admin: Client, postgres: Client) -> None:
    blueprint = create_blueprint(admin)
    in_an_earlier_transaction(postgres, blueprint)
    statement = "update public.blueprint_steps set config = '{\"a\": 1}' where blueprint_id = %(id)s"
    postgres.change(statement, {"id": blueprint["id"]})
    assert version_of(admin, blueprint) == 2


def test_nobody_sets_the_version_by_hand(admin: Client, postgres: Client) -> None:
    blueprint = create_blueprint(admin)
    statement = "update public.blueprints set version = 99, version_xact = '99' where id = %(id)s"
    with denied():
        admin.change(statement, {"id": blueprint["id"]})
    postgres.change(statement, {"id": blueprint["id"]})
    assert version_of(admin, blueprint) == 1


@pytest.mark.parametrize("column", ["id", "org_id", "created_by"])
def test_the_id_org_and_creator_of_a_blueprint_do_not_change(
    admin: Client, postgres: Client, column: str
) -> None:
    blueprint = create_blueprint(admin)
    statement = f"update public.blueprints set {column} = gen_random_uuid() where id = %(id)s"
    with denied():
        admin.change(statement, {"id": blueprint["id"]})
    with refused(409, "immutable"):
        postgres.change(statement, {"id": blueprint["id"]})


def test_an_edit_of_an_outdated_version_is_refused(admin: Client) -> None:
    blueprint = create_blueprint(admin)
    with refused(409, "blueprint_version_conflict"):
        admin.call("update_blueprint", blueprint_id=blueprint["id"], name="x", expected_version=7)
    admin.call("update_blueprint", blueprint_id=blueprint["id"], name="x", expected_version=1)


def test_clients_neither_delete_blueprints_nor_update_steps(admin: Client) -> None:
    create_blueprint(admin)
    for statement in (
        "delete from public.blueprints",
        "update public.blueprint_steps set config = '{}'",
        "update public.blueprint_steps set position = position + 1",
    ):
        with denied():
            admin.change(statement)


def test_a_run_keeps_its_snapshot_when_the_blueprint_is_edited(
    admin: Client, postgres: Client, worker: Client, org: Org, company: Company
) -> None:
    run = create_run(worker, org, company)
    before = admin.call("get_pipeline_run", pipeline_run_id=run.id)
    blueprint = {"id": run.pipeline_run["blueprint_id"]}
    in_an_earlier_transaction(postgres, blueprint)
    admin.call("update_blueprint", blueprint_id=blueprint["id"], name="New", steps=[{"slug": OUTSIDE}])
    assert admin.call("get_pipeline_run", pipeline_run_id=run.id) == before
    assert (before["blueprint_version"], len(before["steps"])) == (1, 2)
    again = admin.call("create_pipeline_run", submission_id=run.submission["id"])
    assert (again["blueprint_version"], again["run_number"], len(again["steps"])) == (2, 2, 1)
    assert again["blueprint_snapshot"]["name"] == "New"


def test_a_snapshot_counts_positions_without_gaps(admin: Client, org: Org, company: Company) -> None:
    blueprint = create_blueprint(admin, {"slug": INLINE}, {"slug": INLINE}, {"slug": OUTSIDE})
    admin.change("delete from public.blueprint_steps where position = 2")
    run = submit(admin, company.id, blueprint["id"])["pipeline_run"]
    assert [(s["position"], s["slug"]) for s in run["steps"]] == [(1, INLINE), (2, OUTSIDE)]


def test_a_blueprint_without_steps_takes_no_submission(admin: Client, company: Company) -> None:
    blueprint = create_blueprint(admin)
    admin.change("delete from public.blueprint_steps")
    with refused(422, "invalid_request"):
        submit(admin, company.id, blueprint["id"])


def test_all_configs_of_a_blueprint_are_bounded_together(admin: Client) -> None:
    step = {"slug": INLINE, "config": {"x": "x" * 250_000}}
    blueprint = create_blueprint(admin, *[step] * 4)
    with refused(413, "payload_too_large"):
        admin.call("update_blueprint", blueprint_id=blueprint["id"], steps=[step] * 5)
    with refused(413, "payload_too_large"):
        admin.change(
            "insert into public.blueprint_steps (blueprint_id, position, step_slug, step_version, config) "
            "values (%(id)s, 9, %(slug)s, '1.0.0', jsonb_build_object('x', repeat('x', 250000)))",
            {"id": blueprint["id"], "slug": INLINE},
        )


def test_steps_are_pinned_for_those_who_may_save_a_blueprint(
    connection: Connection, worker: Client, admin: Client, org: Org
) -> None:
    worker.call("worker.publish_steps", steps=[step(INLINE, "1.1.0")])
    wanted: dict[str, Any] = {"slugs": [INLINE, INLINE, "nowhere"], "versions": [None, "1.0.0", None]}
    pinned = admin.call("pin_steps", **wanted)["steps"]
    assert [found["version"] for found in pinned] == ["1.1.0", "1.0.0", None]
    assert pinned[0]["config_schema"] == admin.call("get_step", slug=INLINE)["config_schema"]
    blueprint = create_blueprint(admin)
    assert admin.call("pin_steps", **wanted, blueprint_id=blueprint["id"])["steps"] == pinned
    for user in org.first.users:
        # The right to save comes before everything that the caller sent.
        with refused(403, "forbidden"):
            signed_in(connection, user).call("pin_steps", slugs=[], versions=[])
    with refused(404, "blueprint_not_found"):
        admin.call("pin_steps", **wanted, blueprint_id=org.id)


@pytest.mark.parametrize(("slugs", "versions"), [([], []), ([INLINE], []), ([INLINE] * 51, [None] * 51)])
def test_the_number_of_pinned_steps_is_bounded(admin: Client, slugs: list[str], versions: list[str]) -> None:
    with refused(422, "invalid_request"):
        admin.call("pin_steps", slugs=slugs, versions=versions)


@pytest.mark.parametrize(
    "config",
    [
        {"url": "https://ada:secret@example.com/hook"},
        {"url": "https://ada@example.com"},
        {"url": "file:///etc/passwd"},
        {"url": "https://example.com\\@internal"},
        {"url": "https://example.com/\r\nX-Evil: 1"},
        {"url": 5},
        {"url": "https://example.com", "headers": {"X-A": "1\r\nX-B: 2"}},
        {"url": "https://example.com", "headers": {"X-A\n": "1"}},
        {"url": "https://example.com", "headers": {"X A": "1"}},
    ],
    ids=str,
)
def test_sql_refuses_an_address_or_header_that_no_delivery_may_use(
    admin: Client, config: dict[str, Any]
) -> None:
    with violates(errors.CheckViolation):
        create_blueprint(admin, {"slug": INLINE, "config": config})


def test_an_ordinary_delivery_passes(admin: Client) -> None:
    config = {
        "url": "https://example.com/a?mail=x@y.z",
        "headers": {"X-Tenant": "acme", "User-Agent": "mine"},
    }
    create_blueprint(admin, {"slug": INLINE, "config": config}, {"slug": INLINE, "config": {"headers": "x"}})
