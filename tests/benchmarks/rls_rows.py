"""The rows of the benchmark: orgs with companies, people and tokens, and any number of pipeline runs.

One org has a tenth of all runs. Its small company has the oldest 20 of them. The other orgs share the rest
evenly. Ids follow from names, so that nothing needs to be looked up.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

from psycopg import sql

from tests.support.sql_client import Connection

Credential = Literal["session", "API token"]

RUNS_PER_SUBMISSION = 4
SKEWED_ORG, ORDINARY_ORG = 1, 7
LARGE_COMPANY, SMALL_COMPANY, SMALL_COMPANY_RUNS = 1, 2, 20
_LOADED = (
    "orgs", "companies", "users", "api_tokens", "steps", "blueprints", "blueprint_steps", "submissions",
    "pipeline_runs", "step_results",
)  # fmt: skip

LARGE_TABLES = ("public.submissions", "public.pipeline_runs", "public.step_results")

_ID_FUNCTION = """
    create or replace function pg_temp.id(p_noun text, variadic p_numbers int[]) returns uuid
    language sql stable return md5(p_noun || ' ' || array_to_string(p_numbers, ' '))::uuid
"""
# {orgs}: how many orgs there are in the end. {first} and {last}: the numbers of the submissions to add.
_ROWS = (
    """
    create temporary table new_orgs as
    select n from generate_series(1, {orgs}) n
    where not exists (select from public.orgs o where o.id = pg_temp.id('org', n))
    """,
    # Number 0 is the org's admin. Each other number is a member of the company with that number.
    """
    create temporary table new_people as
    select n, c, pg_temp.id('org', n) as org_id, pg_temp.id('user', n, c) as id,
        case when c > 0 then pg_temp.id('company', n, c) end as company_id,
        case when c > 0 then 'member' else 'org_admin' end::public.user_role as role
    from new_orgs, generate_series(0, 3) c
    """,
    """
    insert into public.orgs (id, name, slug)
    select pg_temp.id('org', n), 'Org ' || n, 'org-' || n from new_orgs
    """,
    """
    insert into public.companies (id, org_id, name)
    select company_id, org_id, 'Company ' || c from new_people where c > 0
    """,
    """
    insert into auth.users (id, email, email_confirmed_at)
    select id, id || '@example.com', now() from new_people
    """,
    """
    insert into public.users (id, identity_id, org_id, company_id, email, role)
    select id, id, org_id, company_id, id || '@example.com', role from new_people
    """,
    """
    insert into public.api_tokens (id, org_id, company_id, user_id, name, token_hash, prefix, role)
    select pg_temp.id('token', n, c), org_id, company_id, id, 'integration',
        encode(sha256(convert_to(id::text, 'utf8')), 'hex'), 'dex_' || left(md5(id::text), 8), role
    from new_people
    """,
    """
    insert into public.steps (
        slug, version, title, description, execution_mode, task_id, config_schema, input_schema, output_schema
    )
    select slug, '1.0.0', slug, 'Passes records on.', 'inline', 'run-pipeline', '{{}}', '{{}}', '{{}}'
    from unnest(array['normalize-names', 'drop-duplicates']) slug
    on conflict do nothing
    """,
    """
    insert into public.blueprints (id, org_id, name, created_by)
    select pg_temp.id('blueprint', n), org_id, 'Clean', id from new_people where c = 0
    """,
    """
    insert into public.blueprint_steps (org_id, blueprint_id, position, step_slug, step_version, config)
    select pg_temp.id('org', n), pg_temp.id('blueprint', n), p, slug, '1.0.0',
        '{{"fields": ["name", "domain"]}}'
    from new_orgs, unnest(array['normalize-names', 'drop-duplicates']) with ordinality s (slug, p)
    """,
    """
    create temporary table new_submissions as
    select s, n, c, pg_temp.id('submission', s) as id, pg_temp.id('org', n) as org_id,
        pg_temp.id('company', n, c) as company_id, pg_temp.id('blueprint', n) as blueprint_id,
        pg_temp.id('user', n, c) as created_by,
        timestamptz '2026-01-01' + s * interval '1 minute' as created_at
    from (
        select s, case when s % 10 = 0 then {skewed_org} else 2 + s % ({orgs} - 1) end as n,
            case
                when s % 10 = 0 and s <= {small_until} then {small_company}
                when s % 10 = 0 then {large_company}
                else 1 + s / 7 % 3
            end as c
        from generate_series({first}, {last}) s
    ) numbered
    """,
    """
    insert into public.submissions (
        id, org_id, company_id, blueprint_id, source, status, record_count, chunk_count, fields, created_by,
        created_at, received_at
    )
    select id, org_id, company_id, blueprint_id, 'csv', 'received', 100, 1, array['name', 'domain'],
        created_by, created_at, created_at
    from new_submissions
    """,
    """
    create temporary table snapshots as
    select org_id, private.snapshot_blueprint(blueprint_id) as snapshot
    from (select distinct org_id, blueprint_id from new_submissions) used
    """,
    """
    insert into public.pipeline_runs (
        id, org_id, company_id, submission_id, run_number, blueprint_id, blueprint_version,
        blueprint_snapshot, status, error, record_count, chunk_count, trigger_run_id, trace_id, trace_sampled,
        created_by, created_at, admitted_at, dispatched_at, started_at, finished_at
    )
    select pg_temp.id('run', s.s, r), s.org_id, s.company_id, s.id, r, s.blueprint_id, 1, snapshot,
        case when failed then 'failed' else 'succeeded' end::public.pipeline_run_status,
        case when failed then '{{"code": "step_failed", "message": "No answer."}}'::jsonb end,
        100, 1, 'run_' || md5(s.s || ' ' || r), md5('trace ' || s.s || ' ' || r), true,
        s.created_by, at, at, at, at, at + interval '5 seconds'
    from new_submissions s
    join snapshots using (org_id)
    cross join generate_series(1, {runs_per_submission}) r
    cross join lateral (
        select s.created_at + r * interval '10 seconds' as at, (s.s / 10 + r) % 10 = 0 as failed
    ) run
    """,
    """
    insert into public.step_results (
        id, org_id, company_id, pipeline_run_id, position, slug, version, execution_mode, status, attempt,
        chunk_count, chunks_written, records_in, records_out, started_at, finished_at, created_at,
        delivery_key
    )
    select pg_temp.id('step result', s.s, r, p::int), s.org_id, s.company_id, pg_temp.id('run', s.s, r), p,
        slug, '1.0.0', 'inline', 'succeeded', 1, 1, 1, 100, 100, s.created_at, s.created_at, s.created_at,
        md5(s.s || ' ' || r || ' ' || p)
    from new_submissions s
    cross join generate_series(1, {runs_per_submission}) r
    cross join unnest(array['normalize-names', 'drop-duplicates']) with ordinality named (slug, p)
    """,
    "drop table new_orgs, new_people, new_submissions, snapshots",
)


@dataclass(frozen=True)
class Caller:
    """A user of the benchmark's orgs. `company` is None for the org's admin."""

    org: int
    company: int | None
    credential: Credential

    @property
    def org_id(self) -> str:
        return _id("org", self.org)

    @property
    def company_id(self) -> str | None:
        return None if self.company is None else _id("company", self.org, self.company)

    @property
    def blueprint_id(self) -> str:
        return _id("blueprint", self.org)

    def with_token(self) -> Caller:
        return replace(self, credential="API token")

    @property
    def claims(self) -> str:
        """The claims as the Data API hands them to Postgres."""
        user_id = _id("user", self.org, self.company or 0)
        if self.credential == "API token":
            return json.dumps({"role": "authenticated", "api_token_hash": _sha256(user_id)})
        return json.dumps({"role": "authenticated", "sub": user_id, "email": f"{user_id}@example.com"})


def load(connection: Connection, *, orgs: int, runs: int) -> None:
    """Brings the tables to this many orgs and runs. The product's triggers are off: they would take hours."""
    loaded = connection.execute("select count(*) from public.submissions").fetchone()
    assert loaded
    numbers = {
        "orgs": orgs,
        "first": loaded[0] + 1,
        "last": runs // RUNS_PER_SUBMISSION,
        "skewed_org": SKEWED_ORG,
        "large_company": LARGE_COMPANY,
        "small_company": SMALL_COMPANY,
        "small_until": SMALL_COMPANY_RUNS // RUNS_PER_SUBMISSION * 10,
        "runs_per_submission": RUNS_PER_SUBMISSION,
    }
    with connection.transaction():
        connection.execute(_ID_FUNCTION)
        connection.execute("set local maintenance_work_mem = '512MB'")
        for table in _LOADED:
            connection.execute(f"alter table public.{table} disable trigger user")
        with _without_indexes(connection):
            for statement in _ROWS:
                connection.execute(sql.SQL(statement).format(**numbers))
        connection.execute("set constraints all immediate")
        for table in _LOADED:
            connection.execute(f"alter table public.{table} enable trigger user")
    for table in _LOADED:
        connection.execute(f"vacuum (analyze) public.{table}")


@contextmanager
def _without_indexes(connection: Connection) -> Iterator[None]:
    """Drops keys and indexes of the large tables, and builds and checks them in bulk afterwards."""
    constraints = connection.execute(
        """
        select conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid)
        from pg_constraint
        where contype in ('p', 'u', 'f')
            and (conrelid = any (%(large)s::regclass[]) or confrelid = any (%(large)s::regclass[]))
        order by contype <> 'f', conname
        """,
        {"large": list(LARGE_TABLES)},
    ).fetchall()
    for table, name, _ in constraints:
        connection.execute(f"alter table {table} drop constraint {name}".encode())
    indexes = connection.execute(
        """
        select indexrelid::regclass::text, pg_get_indexdef(indexrelid) from pg_index
        where indrelid = any (%s::regclass[])
        """,
        [list(LARGE_TABLES)],
    ).fetchall()
    for name, _ in indexes:
        connection.execute(f"drop index {name}".encode())
    yield
    for _, definition in indexes:
        connection.execute(definition.encode())
    for table, name, definition in reversed(constraints):
        connection.execute(f"alter table {table} add constraint {name} {definition}".encode())


def _id(noun: str, *numbers: int) -> str:
    name = f"{noun} {' '.join(map(str, numbers))}"
    return str(UUID(hashlib.md5(name.encode(), usedforsecurity=False).hexdigest()))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
