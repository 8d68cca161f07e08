"""Lists: their pages give every item once and in order, and forged cursors are refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.support.pipeline import INLINE, Run, create_blueprint, create_run, records, step, submit, verdict
from tests.support.sql_client import Client, Connection, refused, signed_in
from tests.support.tenants import Company, Org, Tenants, create_token

CHUNKED = {"list_pipeline_run_records", "list_step_result_records"}
LISTS = [
    "list_companies",
    "list_users",
    "list_invitations",
    "list_api_tokens",
    "list_secrets",
    "list_steps",
    "list_blueprints",
    "list_submissions",
    "list_pipeline_runs",
    "list_step_results",
    "list_audit_log",
    *sorted(CHUNKED),
]


@pytest.fixture
def run(connection: Connection, worker: Client, org: Org, company: Company) -> Run:
    """A run, and five of everything. One transaction creates them, so only their ids tell them apart."""
    admin = signed_in(connection, org.admin)
    worker.call("worker.publish_steps", steps=[step(f"testing-page-{number}") for number in range(5)])
    for number in range(5):
        admin.call("create_company", name=f"Company {number}")
        create_token(connection, org.admin)
        admin.call("set_secret", name=f"secret_{number}", value="x")
        admin.call("create_invitation", email=f"invitee-{number}@example.com", role="org_admin")
        blueprint = create_blueprint(admin)
        submit(admin, company.id, blueprint["id"])
    return done_run(worker, org, company, steps=5, records=3)


def done_run(worker: Client, org: Org, company: Company, *, steps: int, records: int) -> Run:
    run = create_run(worker, org, company, *[{"slug": INLINE}] * steps, count=records)
    run.succeed()
    return run


def walk(fetch: Callable[..., dict[str, Any]], limit: int) -> list[Any]:
    items: list[Any] = []
    cursor = None
    while True:
        page = fetch(limit=limit, cursor=cursor)
        assert len(page["items"]) <= limit
        items += page["items"]
        cursor = page["next_cursor"]
        if cursor is None:
            return items
        assert len(page["items"]) == limit, "only the last page is short"


def fetcher(client: Client, name: str, run: Run) -> Callable[..., dict[str, Any]]:
    arguments = {
        "list_step_results": {"pipeline_run_id": run.id},
        "list_pipeline_run_records": {"pipeline_run_id": run.id},
        "list_step_result_records": {"step_result_id": run.step_id(1)},
    }.get(name, {})

    def fetch(**page: Any) -> dict[str, Any]:  # noqa: ANN401
        answer: dict[str, Any] = client.call(name, **arguments, **page)
        assert set(answer) == {"items", "next_cursor"}
        return answer

    return fetch


def test_every_list_is_walked_here(postgres: Client) -> None:
    taking = postgres.rows(
        "select proname::text as name from pg_proc "
        "where pronamespace = 'public'::regnamespace and 'p_cursor' = any (proargnames)"
    )
    assert {row["name"] for row in taking} == set(LISTS)


@pytest.mark.parametrize("name", [name for name in LISTS if name not in CHUNKED])
def test_the_pages_of_a_list_give_all_of_it(connection: Connection, org: Org, run: Run, name: str) -> None:
    fetch = fetcher(signed_in(connection, org.admin), name, run)
    whole = walk(fetch, 200)
    assert len(whole) >= 5
    assert len({json.dumps(item) for item in whole}) == len(whole)
    assert walk(fetch, 2) == whole


@pytest.mark.parametrize("name", sorted(CHUNKED))
def test_the_pages_of_records_give_all_of_them_across_chunks(
    connection: Connection, worker: Client, org: Org, company: Company, name: str
) -> None:
    run = done_run(worker, org, company, steps=1, records=2003)
    fetch = fetcher(signed_in(connection, org.admin), name, run)
    whole = walk(fetch, 1000)
    assert [item["id"] for item in whole] == [str(number) for number in range(1, 2004)]
    assert walk(fetch, 300) == whole


MANY = {
    "companies": "insert into public.companies (org_id, name, created_at)"
    " select %(org)s, 'Company', now() - i * interval '1 minute' from generate_series(1, 2000) i",
    "blueprints": "insert into public.blueprints (org_id, name, created_by, created_at)"
    " select %(org)s, 'Blueprint ' || i, %(admin)s, now() - i * interval '1 minute'"
    " from generate_series(1, 2000) i",
}


@pytest.mark.parametrize("table", MANY)
def test_a_page_deep_in_a_list_reads_no_more_than_it_shows(
    connection: Connection, postgres: Client, org: Org, table: str
) -> None:
    """By the plan for all arguments, which Postgres may choose after five calls."""
    postgres.change(MANY[table], {"org": org.id, "admin": org.admin.id})
    # As with statistics of these rows, which would outlive the test.
    postgres.change("set local enable_seqscan = off")
    postgres.change("set local enable_bitmapscan = off")
    postgres.change("set local enable_sort = off")
    postgres.change("set local plan_cache_mode = force_generic_plan")
    admin = signed_in(connection, org.admin)
    cursor = cursor_of(
        postgres.value(
            f"select jsonb_build_array(created_at, id) from public.{table} where org_id = %(org)s "
            "order by created_at desc offset 1500 limit 1",
            {"org": org.id},
        )
    )

    def read() -> int:
        index = f"public.{table}_org_id_created_at_idx"
        statement = "select pg_stat_get_xact_tuples_returned(%(index)s::regclass)"
        return int(postgres.value(statement, {"index": index}))

    before = read()
    assert len(admin.call(f"list_{table}", cursor=cursor)["items"]) == 50
    assert read() - before == 51


def test_a_page_that_ends_with_the_list_has_no_next(connection: Connection, org: Org, run: Run) -> None:
    fetch = fetcher(signed_in(connection, org.admin), "list_step_results", run)
    assert fetch(limit=5)["next_cursor"] is None
    assert fetch(limit=4)["next_cursor"]


@pytest.fixture
def run_lite(worker: Client, org: Org, company: Company) -> Run:
    return done_run(worker, org, company, steps=1, records=3)


@pytest.mark.parametrize("name", LISTS)
@pytest.mark.parametrize("limit", [0, -1, None, "beyond"])
def test_a_limit_beyond_bounds_is_refused(
    connection: Connection, org: Org, run_lite: Run, name: str, limit: Any  # noqa: ANN401
) -> None:  # fmt: skip
    fetch = fetcher(signed_in(connection, org.admin), name, run_lite)
    with refused(422, "invalid_request"):
        fetch(limit=(1001 if name in CHUNKED else 201) if limit == "beyond" else limit)


def cursor_of(key: Any) -> str:  # noqa: ANN401
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


FORGED_KEYS: list[Any] = [
    {},
    None,
    [],
    ["x"] * 9,
    [None],
    [None, None],
    [None, None, None],
    ["x", "y", "z"],
    [99999999999, 1, 1],
    [[1], [1]],
    ["2026-01-01", "not an id"],
    ["not a time", "00000000-0000-0000-0000-000000000000"],
]
FORGED = [
    "",
    "not base64!",
    "%%%",
    base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    base64.urlsafe_b64encode(b"not json").decode(),
    *map(cursor_of, FORGED_KEYS),
]


@pytest.mark.parametrize("name", LISTS)
def test_a_forged_cursor_is_refused(connection: Connection, org: Org, run_lite: Run, name: str) -> None:
    fetch = fetcher(signed_in(connection, org.admin), name, run_lite)
    for cursor in FORGED:
        with refused(422, "invalid_cursor"):
            fetch(cursor=cursor)


def test_a_cursor_opens_nothing_to_another_org(connection: Connection, run: Run, tenants: Tenants) -> None:
    admin, stranger = signed_in(connection, tenants.org.admin), signed_in(connection, tenants.other.admin)
    for name in LISTS:
        if name in {"list_steps", "list_step_results", *CHUNKED}:
            continue  # global, or of one run
        cursor = admin.call(name, limit=1)["next_cursor"]
        shown = fetcher(admin, name, run)(limit=200)["items"]
        assert not [item for item in stranger.call(name, cursor=cursor)["items"] if item in shown], name


def test_rejected_and_dropped_records_are_walked_over_all_steps(
    connection: Connection, worker: Client, org: Org, company: Company
) -> None:
    run = create_run(worker, org, company, {"slug": INLINE}, {"slug": INLINE}, count=9)
    run.take()
    run.start(1)
    run.write(1, records(3, 4, 5, 6, 7, 8, 9), rejected=[verdict(1)], dropped=[verdict(2)])
    run.on_step("finish_step", 1)
    run.start(2)
    run.write(
        2,
        records(9),
        rejected=[verdict(3), verdict(4), verdict(5)],
        dropped=[verdict(6), verdict(7), verdict(8)],
    )
    run.on_step("finish_step", 2)
    run.on_run("finish_pipeline_run")
    member = signed_in(connection, company.member)

    def walked(kind: str, limit: int) -> list[tuple[str, int, str, str]]:
        items = walk(
            lambda **page: member.call(
                "list_pipeline_run_records", pipeline_run_id=run.id, kind=kind, **page
            ),
            limit,
        )
        return [(item["id"], item["position"], item["slug"], item["data"]["name"]) for item in items]

    for limit in (1, 2, 3, 100):
        assert walked("rejected", limit) == [
            ("1", 1, INLINE, "Company 1"),
            *((str(number), 2, INLINE, f"Company {number}") for number in (3, 4, 5)),
        ]
        assert walked("dropped", limit) == [
            ("2", 1, INLINE, "Company 2"),
            *((str(number), 2, INLINE, f"Company {number}") for number in (6, 7, 8)),
        ]


def test_a_page_ends_early_rather_than_grow_without_bound(
    connection: Connection, worker: Client, org: Org, company: Company
) -> None:
    """Ten records of a megabyte each, in ten chunks: a page ends with the chunk that passes 8 MB."""
    member = signed_in(connection, company.member)
    blueprint = create_blueprint(signed_in(connection, org.admin), {"slug": INLINE})
    submitted = member.call(
        "create_submission",
        company_id=company.id,
        blueprint_id=blueprint["id"],
        records=[{"text": "x" * 1_000_000}] * 10,
    )
    run = Run(worker, submitted["pipeline_run"], submitted["submission"])
    run.take()
    run.start(1)
    for number in range(1, 11):
        run.write(1, [], number - 1, rejected=[verdict(number)])
    for kind in ("input", "rejected"):
        pages: list[list[str]] = []
        cursor = None
        while cursor is not None or not pages:
            page = member.call(
                "list_pipeline_run_records", pipeline_run_id=run.id, kind=kind, limit=1000, cursor=cursor
            )
            pages.append([item["id"] for item in page["items"]])
            cursor = page["next_cursor"]
        assert pages == [[str(number) for number in range(1, 10)], ["10"]]
