"""The statements that are compared: under policy, and filtered by hand.

Reads of the table are the statements that PostgREST makes of `GET /pipeline_runs?…`. The counterparts of the
RPCs come from the functions in the catalogue: the same bodies, run by the owner, with the tenant condition
written in.

A statement filtered by hand looks the caller up once, because a revoked credential must open nothing. `told`
skips that, as if the caller's org were known at no cost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from tests.benchmarks.rls_rows import (
    LARGE_COMPANY,
    ORDINARY_ORG,
    SKEWED_ORG,
    SMALL_COMPANY,
    Caller,
)
from tests.support.sql_client import Connection

Parameters = dict[str, Any]
Indexes = frozenset[str]

PAGE = 50
# One run beyond the page shows whether another page follows. Each run may have a failed step to read.
RPC_PAGE = 2 * (PAGE + 1)
SCHEMA = "by_hand"

_LISTED = (
    "id, org_id, company_id, submission_id, run_number, blueprint_id, blueprint_version, status, error, "
    "record_count, chunk_count, trigger_run_id, trace_id, request_id, created_by, created_at, dispatched_at, "
    "started_at, finished_at"
)
_WHOLE = f"{_LISTED}, blueprint_snapshot"
_READ = """
    with pgrst_source as (select {columns} from public.pipeline_runs where {filters})
    select null::bigint as total_result_set, count(_postgrest_t) as page_total,
        coalesce(json_agg(_postgrest_t), '[]') as body,
        nullif(current_setting('response.headers', true), '') as response_headers,
        nullif(current_setting('response.status', true), '') as response_status{more}
    from (select * from pgrst_source) _postgrest_t
"""
_CALL = """
    with pgrst_source as (select {function}({arguments}) as pgrst_scalar)
    select null::bigint as total_result_set, 1 as page_total,
        coalesce(json_agg(_postgrest_t.pgrst_scalar) -> 0, 'null') as body,
        nullif(current_setting('response.headers', true), '') as response_headers,
        nullif(current_setting('response.status', true), '') as response_status
    from (select * from pgrst_source) _postgrest_t
"""
_BY_ID = frozenset({"pipeline_runs_pkey"})
_BY_ORG = frozenset({"pipeline_runs_org_id_created_at_idx"})
_BY_COMPANY = frozenset({"pipeline_runs_org_id_company_id_created_at_idx"})
_NOT_SUCCEEDED = frozenset({"pipeline_runs_not_succeeded_org_idx"})
_BY_SUBMISSION = frozenset(
    {"pipeline_runs_submission_id_run_number_key", "pipeline_runs_org_id_company_id_submission_id_idx"}
)
_NEWEST = f"order by created_at desc, id desc limit {PAGE}"

# RPC → text of its body and the replacement in its counterpart. Each text must occur once.
_REWRITES: dict[str, tuple[tuple[str, str], ...]] = {
    # Its body has the tenant condition already, for the planner's sake.
    "list_pipeline_runs": (("private.require_caller()", "private.look_up_caller()"),),
    "get_pipeline_run": (
        ("private.require_caller()", "private.look_up_caller()"),
        (
            "where r.id = p_pipeline_run_id;",
            """
            where r.id = p_pipeline_run_id and r.org_id = v_caller.org_id
                and (v_caller.company_id is null or r.company_id = v_caller.company_id);
            """,
        ),
    ),
}


@dataclass(frozen=True)
class Case:
    """The same question in each form. `rows` is the most that the answer may read of the large tables."""

    name: str
    caller: Caller
    kind: Literal["table", "RPC"]
    under_policy: str
    by_hand: str
    told: str | None
    parameters: Parameters
    indexes: Indexes  # the answer must use one of them
    rows: int


def create_counterparts(connection: Connection) -> None:
    """Creates them as the owner of the tables, to whom no policy applies."""
    connection.execute(f"create schema {SCHEMA}")
    for name, rewrites in _REWRITES.items():
        row = connection.execute(
            "select pg_get_functiondef(oid) from pg_proc "
            "where proname = %s and pronamespace = 'public'::regnamespace",
            [name],
        ).fetchone()
        assert row
        definition = row[0]
        head = (f"FUNCTION public.{name}(", f"FUNCTION {SCHEMA}.{name}(")
        for before, after in (head, *rewrites):
            assert definition.count(before) == 1, f"{name} no longer says: {before}"
            definition = definition.replace(before, after)
        connection.execute(definition)


def cases(connection: Connection) -> list[Case]:
    admin = Caller(SKEWED_ORG, None, "session")
    member = Caller(ORDINARY_ORG, 1, "session")
    large_member = Caller(SKEWED_ORG, LARGE_COMPANY, "session")
    small_member = Caller(SKEWED_ORG, SMALL_COMPANY, "session")
    cases = []
    for caller, who in (
        (admin, "org_admin"),
        (admin.with_token(), "org_admin's token"),
        (member, "member"),
        (member.with_token(), "member's token"),
        (small_member, "member of the small company"),
    ):
        run = _some_run(connection, caller)
        cases += [
            _read(f"get, {who}", caller, _WHOLE, "id = %(id)s", {"id": run.id}, _BY_ID, 1),
            _call(f"get, {who}", caller, "get_pipeline_run", {"p_pipeline_run_id": run.id}, _BY_ID, 5),
        ]
    for caller, who in (
        (admin, "org_admin"),
        (admin.with_token(), "org_admin's token"),
        (member, "member"),
        (member.with_token(), "member's token"),
        (large_member, "member of the large company"),
        (small_member, "member of the small company"),
    ):
        # A caller who reads the table for one company names it: docs/benchmarks.md says why.
        own, of_caller, indexes = "true", {}, _BY_ORG
        if caller.company:
            own, of_caller, indexes = "company_id = %(id)s", {"id": caller.company_id}, _BY_COMPANY
        if caller == large_member:
            indexes |= _BY_ORG  # almost all runs of the org are this company's
        cases += [
            _read(f"newest 50, {who}", caller, _LISTED, f"{own} {_NEWEST}", of_caller, indexes, PAGE),
            _call(f"newest 50, {who}", caller, "list_pipeline_runs", {}, indexes, RPC_PAGE),
        ]
    run = _some_run(connection, admin)
    cases += [
        _call("next 50, org_admin", admin, "list_pipeline_runs", {"p_cursor": run.cursor}, _BY_ORG, RPC_PAGE),
        _call(
            "failed 50, org_admin",
            admin,
            "list_pipeline_runs",
            {"p_status": "failed"},
            _NOT_SUCCEEDED,
            4 * PAGE,  # each run has failed steps
        ),
    ]
    run = _some_run(connection, member)
    return [
        *cases,
        _call(
            "of a submission, member", member, "list_pipeline_runs", {"p_submission_id": run.submission_id},
            _BY_SUBMISSION, 8,
        ),
    ]  # fmt: skip


@dataclass(frozen=True)
class _Run:
    id: str
    submission_id: str
    cursor: str


def _some_run(connection: Connection, caller: Caller) -> _Run:
    """A run from the middle of the caller's first page."""
    row = connection.execute(
        """
        select id::text, submission_id::text, private.encode_cursor(jsonb_build_array(created_at, id))
        from public.pipeline_runs
        where org_id = %s and (company_id = %s or %s::uuid is null)
        order by created_at desc, id desc
        offset 10 limit 1
        """,
        [caller.org_id, caller.company_id, caller.company_id],
    ).fetchone()
    assert row
    return _Run(*row)


def _read(
    name: str, caller: Caller, columns: str, filters: str, parameters: Parameters, indexes: Indexes, rows: int
) -> Case:
    tenant = "org_id = %(only_org_id)s"
    if caller.company:
        tenant += " and company_id = %(only_company_id)s"
    by_hand = _READ.format(columns=columns, filters=f"{tenant} and {filters}", more="{more}")
    return Case(
        name, caller, "table", _READ.format(columns=columns, filters=filters, more=""),
        by_hand.format(more=", (select private.look_up_caller()) as caller"), by_hand.format(more=""),
        parameters, indexes, rows,
    )  # fmt: skip


def _call(
    name: str, caller: Caller, function: str, parameters: Parameters, indexes: Indexes, rows: int
) -> Case:
    arguments = ", ".join(f"{parameter} => %({parameter})s" for parameter in parameters)
    under_policy, by_hand = (
        _CALL.format(function=f"{schema}.{function}", arguments=arguments) for schema in ("public", SCHEMA)
    )
    return Case(name, caller, "RPC", under_policy, by_hand, None, parameters, indexes, rows)
