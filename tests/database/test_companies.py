"""Companies: an org_admin creates them, and their people see them."""

from __future__ import annotations

from psycopg import errors

from tests.database.populated import Target, populate
from tests.support.sql_client import Client, Connection, denied, refused, signed_in, violates, with_token
from tests.support.tenants import Org, Tenants, create_org, create_token


def test_an_org_admin_creates_companies_in_its_own_org(connection: Connection, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    company = admin.call("create_company", name="  Acme West ", external_id="crm-7")
    assert (company["org_id"], company["name"], company["external_id"]) == (org.id, "Acme West", "crm-7")
    assert admin.call("get_company", company_id=company["id"]) == company


def test_nobody_else_creates_companies(connection: Connection, org: Org) -> None:
    narrowed = create_token(connection, org.admin, role="company_admin", company_id=org.first.id)
    others = [signed_in(connection, user) for user in org.first.users]
    for client in (*others, with_token(connection, narrowed)):
        with refused(403, "forbidden"):
            client.call("create_company", name="Mine")
        with denied():
            client.change("insert into public.companies (name) values ('Mine')")


def test_an_external_id_is_unique_within_its_org_only(connection: Connection, tenants: Tenants) -> None:
    for org in tenants:
        admin = signed_in(connection, org.admin)
        admin.call("create_company", name="A", external_id="crm-1")
        with refused(409, "conflict", {"field": "external_id"}):
            admin.call("create_company", name="B", external_id="crm-1")
        with violates(errors.UniqueViolation):
            admin.change("insert into public.companies (name, external_id) values ('B', 'crm-1')")


def test_companies_without_an_external_id_do_not_collide(connection: Connection, org: Org) -> None:
    admin = signed_in(connection, org.admin)
    first, second = (admin.call("create_company", name="A") for _ in range(2))
    assert first["id"] != second["id"]


def test_callers_see_only_the_companies_in_their_reach(connection: Connection, org: Org) -> None:
    def seen(client: Client) -> set[str]:
        return {item["id"] for item in client.call("list_companies")["items"]}

    assert seen(signed_in(connection, org.admin)) == {org.first.id, org.second.id}
    for user in org.second.users:
        assert seen(signed_in(connection, user)) == {org.second.id}


def test_nobody_renames_or_removes_a_company_or_an_org_nor_removes_a_user(
    connection: Connection, org: Org
) -> None:
    admin = signed_in(connection, org.admin)
    for statement in (
        "update public.companies set name = 'x'",
        "delete from public.companies",
        "update public.orgs set name = 'x'",
        "update public.orgs set disabled_at = null",
        "insert into public.orgs (name, slug) values ('x', 'x')",
        "delete from public.orgs",
        "delete from public.users",
    ):
        with denied():
            admin.change(statement)


def test_members_see_the_people_of_their_company_only(connection: Connection, org: Org) -> None:
    member = signed_in(connection, org.first.member)
    seen = {row["id"] for row in member.rows("select id::text from public.users")}
    assert seen == {user.id for user in org.first.users}


def test_a_link_across_orgs_is_impossible_even_for_an_operator(postgres: Client, tenants: Tenants) -> None:
    user, foreign = tenants.org.first.member, tenants.other.first
    ids = {"company_id": foreign.id, "org_id": foreign.org_id, "user_id": user.id}
    with violates(errors.ForeignKeyViolation):
        postgres.change("update public.users set company_id = %(company_id)s where id = %(user_id)s", ids)
    with refused(409, "immutable"):
        postgres.change("update public.users set org_id = %(org_id)s where id = %(user_id)s", ids)


def test_an_org_has_history_and_cannot_be_deleted_even_by_an_operator(
    connection: Connection, postgres: Client, worker: Client, org: Org
) -> None:
    kept = create_org(connection, "kept")
    populate(worker, kept)
    before = Target(connection, kept.id).fingerprint()
    with violates(errors.ForeignKeyViolation):
        postgres.change("delete from public.orgs where id = %(id)s", {"id": kept.id})
    assert Target(connection, kept.id).fingerprint() == before
