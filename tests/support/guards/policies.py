"""Policies: one verb each, the caller read once a statement, the tenant in every condition."""

from __future__ import annotations

import re
from typing import Any

from tests.support.guards.catalogue import sentences
from tests.support.guards.conditions import weakened
from tests.support.sql_client import Connection, owner


def policies_read_the_caller_once(connection: Connection) -> list[str]:
    """Accessors stand in scalar selects, so that they run once per statement, not once per row."""
    statement = """
        select format('%I on %I.%I', policyname, schemaname, tablename) as name,
            concat_ws(' ', qual, with_check) as condition
        from pg_policies where schemaname in ('public', 'private', 'worker', 'ops') order by 1
    """
    findings = []
    for row in owner(connection).rows(statement):
        # As the catalogue prints it: ( SELECT private.caller_org_id() AS caller_org_id)
        called = re.findall(r"(\( SELECT )?((?:private|auth)\.\w+)\(", row["condition"])
        findings += [
            f"policy {row['name']} calls {name} for each row" for wrapped, name in called if not wrapped
        ]
    return findings


def policies_are_for_clients_and_named_so(connection: Connection) -> list[str]:
    return sentences(
        connection,
        """
        select format('%I on %I.%I', policyname, schemaname, tablename) as name
        from pg_policies
        where schemaname in ('public', 'private', 'worker', 'ops')
            and (
                roles <> '{authenticated}' or cmd = 'ALL'
                or not starts_with(policyname, tablename || '_' || lower(cmd) || '_')
            )
        order by 1
        """,
        "policy {name} is not <table>_<verb>_<who> for authenticated",
    )


def policies_name_their_tenant(connection: Connection) -> list[str]:
    """Each condition names it by itself, and relies on no grant, trigger or other clause."""
    findings = []
    for row in _conditions(connection):
        caller = r"\( SELECT private\.{}\(\)"
        wanted = {"org": rf"\b(org_)?id = {caller.format('caller_org_id')}"}
        if row["has_company"]:
            wanted["company"] = caller.format("caller_(company_id|is_org_wide)")
        findings += [
            f"policy {row['name']} does not name the caller's {tenant} in its {row['clause']} condition"
            for tenant, pattern in wanted.items()
            if row["has_org"] and not re.search(pattern, row["condition"])
        ]
    return findings


def updates_hold_old_and_new_rows_alike(connection: Connection) -> list[str]:
    """The parts of the caller that decide which rows it may change also decide what they may become."""
    rows = owner(connection).rows(
        """
        select format('%I on %I.%I', policyname, schemaname, tablename) as name, qual, with_check
        from pg_policies
        where schemaname in ('public', 'private', 'worker', 'ops') and cmd = 'UPDATE'
            and with_check is not null
        order by 1
        """
    )
    return [
        f"policy {row['name']} asks for {part} in one of its conditions only"
        for row in rows
        for part in sorted(_caller_parts(row["qual"]) ^ _caller_parts(row["with_check"]))
    ]


def _caller_parts(condition: str) -> set[str]:
    return {part for part, _ in weakened(condition)}


def _conditions(connection: Connection) -> list[dict[str, Any]]:
    """Every `using` and `with check` of every policy, and whether its table has tenant columns."""
    return owner(connection).rows(
        """
        select format('%I on %I.%I', p.policyname, p.schemaname, p.tablename) as name, clause, condition,
            p.tablename = 'orgs' or 'org_id' = any (t.columns) as has_org,
            p.tablename = 'companies' or 'company_id' = any (t.columns) as has_company
        from pg_policies p
        cross join lateral (
            select array_agg(a.attname) as columns
            from pg_attribute a
            where a.attrelid = format('%I.%I', p.schemaname, p.tablename)::regclass and a.attnum > 0
                and not a.attisdropped
        ) t
        cross join lateral (values ('using', p.qual), ('with check', p.with_check)) part (clause, condition)
        where p.schemaname in ('public', 'private', 'worker', 'ops') and condition is not null
        order by 1, 3
        """
    )
