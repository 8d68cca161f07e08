"""The guards find nothing in the catalogue, and each finds the damage that it is for."""

from __future__ import annotations

import pytest

from tests.support.guards import GUARDS, functions, grants, policies, tables
from tests.support.guards.catalogue import Guard
from tests.support.sql_client import Client, Connection

_TABLE = "create table public.things (id uuid primary key, org_id uuid not null, company_id uuid not null);"

BREAKS: list[tuple[Guard, str, str]] = [
    (tables.row_level_security_is_on, _TABLE, "public.things has no row-level security"),
    (
        tables.row_level_security_is_on,
        "alter table public.submissions disable row level security",
        "public.submissions has no row-level security",
    ),
    (
        tables.views_run_as_their_caller,
        "create view public.everything as select * from public.submissions",
        "public.everything is read as its owner, past row-level security",
    ),
    (
        tables.views_run_as_their_caller,
        "create materialized view public.everything as select * from public.submissions",
        "public.everything is read as its owner, past row-level security",
    ),
    (tables.everything_has_a_comment, _TABLE, "public.things has no comment"),
    (
        tables.everything_has_a_comment,
        "create type public.mood as enum ('good')",
        "public.mood has no comment",
    ),
    (
        tables.everything_has_a_comment,
        "create type private.pair as (a int, b int)",
        "private.pair has no comment",
    ),
    (tables.everything_has_a_comment, "comment on schema worker is null", "worker has no comment"),
    (
        tables.everything_has_a_comment,
        "comment on function public.auth_context() is null",
        "auth_context() has no comment",
    ),
    (
        functions.functions_pin_an_empty_search_path,
        "create function worker.loose() returns int language sql as 'select 1'",
        "worker.loose() does not set search_path = ''",
    ),
    (
        functions.functions_pin_an_empty_search_path,
        "alter function public.auth_context() set search_path = public",
        "auth_context() does not set search_path = ''",
    ),
    (
        grants.nobody_executes_by_default,
        "grant execute on function public.auth_context() to public",
        "PUBLIC may execute auth_context()",
    ),
    (
        grants.nobody_executes_by_default,
        "grant execute on function public.auth_context() to anon",
        "anon may execute auth_context()",
    ),
    (
        grants.nobody_executes_by_default,
        "grant execute on function worker.publish_steps(jsonb) to authenticated",
        "authenticated may execute worker.publish_steps(jsonb)",
    ),
    (
        grants.nobody_executes_by_default,
        "alter default privileges grant execute on functions to public;"
        "create function worker.open() returns int language sql as 'select 1'",
        "PUBLIC may execute worker.open()",
    ),
    (
        grants.operators_keep_their_schema_to_themselves,
        "grant usage on schema ops to public",
        "anon may use ops",
    ),
    (
        grants.operators_keep_their_schema_to_themselves,
        "grant execute on function ops.find(text) to authenticated",
        "authenticated may execute ops.find(text)",
    ),
    (
        grants.operators_keep_their_schema_to_themselves,
        "grant select on ops.identities to service_role",
        "service_role may read or write ops.identities",
    ),
    (
        grants.operators_keep_their_schema_to_themselves,
        "create role operator noinherit; grant usage on schema ops to operator; "
        "grant operator to authenticator",
        "authenticator may become operator",
    ),
    (
        tables.foreign_keys_are_indexed,
        "drop index public.submissions_org_id_blueprint_id_idx",
        "submissions_org_id_blueprint_id_fkey of public.submissions has no index",
    ),
    (
        tables.foreign_keys_say_what_deleting_does,
        _TABLE
        + "alter table public.things add constraint to_org foreign key (org_id) references public.orgs (id)",
        "to_org of public.things leaves on delete to the default",
    ),
    (
        tables.links_stay_within_their_tenant,
        _TABLE + "alter table public.submissions add constraint bare unique (id);"
        "alter table public.things add constraint to_submission foreign key (id) "
        "references public.submissions (id) on delete cascade",
        "to_submission of public.things can link across tenants: it lacks org_id",
    ),
    (
        tables.links_stay_within_their_tenant,
        _TABLE + "alter table public.submissions add constraint half unique (org_id, id);"
        "alter table public.things add constraint to_submission foreign key (org_id, id) "
        "references public.submissions (org_id, id) on delete cascade",
        "to_submission of public.things can link across tenants: it lacks company_id",
    ),
    (
        tables.tables_belong_to_an_org,
        "create table public.things (id int); comment on table public.things is 'Things.'",
        "public.things has no org_id",
    ),
    (
        tables.tables_belong_to_an_org,
        "grant insert (slug) on public.steps to authenticated",
        "public.steps has no org_id",
    ),
    (
        tables.columns_that_clients_write_are_bounded,
        "alter table public.rejected_records drop constraint rejected_records_details_check",
        "public.rejected_records.details has no bound",
    ),
    (
        tables.columns_that_clients_write_are_bounded,
        "alter table public.companies drop constraint companies_name_check; "
        "alter table public.companies add check (length(btrim(name)) <= 200)",
        "public.companies.name has no bound",
    ),
    (
        tables.columns_that_clients_write_are_bounded,
        "alter table public.companies add column note text check (note ~ '^[a-z]+$'); "
        "grant update (note) on public.companies to authenticated",
        "public.companies.note has no bound",
    ),
    (
        policies.policies_read_the_caller_once,
        "create policy orgs_select_each on public.orgs for select to authenticated "
        "using (id = private.caller_org_id())",
        "policy orgs_select_each on public.orgs calls private.caller_org_id for each row",
    ),
    (
        policies.policies_are_for_clients_and_named_so,
        "create policy orgs_select_all on public.orgs for select to anon using (true)",
        "policy orgs_select_all on public.orgs is not <table>_<verb>_<who> for authenticated",
    ),
    (
        policies.policies_are_for_clients_and_named_so,
        "create policy orgs_select_all on public.orgs to authenticated using (true)",
        "policy orgs_select_all on public.orgs is not <table>_<verb>_<who> for authenticated",
    ),
    (
        policies.policies_name_their_tenant,
        "alter policy submissions_update_creator_or_admin on public.submissions with check (status = "
        "'receiving')",
        "policy submissions_update_creator_or_admin on public.submissions does not name the caller's company "
        "in its with check condition",
    ),
    (
        policies.policies_name_their_tenant,
        "alter policy blueprints_select_org on public.blueprints using (true)",
        "policy blueprints_select_org on public.blueprints does not name the caller's org in its using "
        "condition",
    ),
    (
        policies.updates_hold_old_and_new_rows_alike,
        "alter policy secrets_update_org_admin on public.secrets "
        "with check (org_id = (select private.caller_org_id()))",
        "policy secrets_update_org_admin on public.secrets asks for caller_is_org_wide() "
        "in one of its conditions only",
    ),
    (
        functions.definers_ask_for_the_org,
        "create function private.loose() returns int language plpgsql security definer as "
        "'declare v_caller private.caller; begin "
        "return (select count(*) from public.submissions where created_by = v_caller.user_id); end'",
        "private.loose() finds rows by the caller's user without its org",
    ),
    (grants.grants_are_minimal, "grant select on public.orgs to anon", "anon may select public.orgs"),
    (
        grants.grants_are_minimal,
        "grant select (name) on public.orgs to service_role",
        "service_role may select public.orgs.name",
    ),
    (
        grants.grants_are_minimal,
        "grant truncate on public.orgs to authenticated",
        "authenticated may truncate public.orgs",
    ),
    (
        grants.grants_are_minimal,
        "grant references (id) on public.orgs to authenticated",
        "authenticated may references public.orgs.id",
    ),
    (
        grants.grants_are_minimal,
        "grant usage on sequence public.rejected_records_id_seq to anon",
        "anon may usage public.rejected_records_id_seq",
    ),
    (
        functions.functions_tell_what_they_raise,
        "comment on function public.get_company(uuid) is 'One company.'",
        "get_company(uuid) raises company_not_found, which its comment does not say",
    ),
    (
        functions.settings_are_named_and_the_callers_is_kept_apart,
        "create function public.set(p_name text, p_value text) returns text language sql as "
        "'select set_config(p_name, p_value, true)'",
        "set(text,text) sets a setting that it does not name",
    ),
    (
        functions.settings_are_named_and_the_callers_is_kept_apart,
        "create function public.be(p_caller text) returns text language sql as "
        "'select set_config(''private.caller'', p_caller, true)'",
        "be(text) sets who is calling",
    ),
]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.__name__)
def test_a_guard_finds_nothing(connection: Connection, guard: Guard) -> None:
    assert guard(connection) == []


@pytest.mark.parametrize(
    ("guard", "damage", "finding"), BREAKS, ids=lambda value: getattr(value, "__name__", "")
)
def test_a_guard_finds_what_was_broken(
    connection: Connection, postgres: Client, guard: Guard, damage: str, finding: str
) -> None:
    postgres.change(damage)
    assert finding in guard(connection)


def test_every_guard_is_broken_once() -> None:
    assert {guard for guard, _, _ in BREAKS} == set(GUARDS)
