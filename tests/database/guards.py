"""Rules that the whole catalogue must keep. A guard returns its findings as sentences.

Nothing is listed by hand: everything that a migration adds must keep the same rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from tests.database.client import Connection, owner
from tests.database.conditions import weakened

Guard = Callable[[Connection], list[str]]

# The objects in the project's own schemas, without those of extensions.
_OURS = """
    nspname in ('public', 'private', 'worker', 'ops')
    and not exists (select from pg_depend d where d.objid = object.oid and d.deptype = 'e')
"""
_TABLES = f"""
    select object.oid, nspname, relname, format('%I.%I', nspname, relname) as name, relkind
    from pg_class object join pg_namespace n on n.oid = relnamespace
    where {_OURS}
"""
_FUNCTIONS = f"""
    select object.oid, nspname, object.oid::regprocedure::text as name, prosrc, proconfig
    from pg_proc object join pg_namespace n on n.oid = pronamespace
    where {_OURS}
"""


def _names(connection: Connection, statement: str, sentence: str) -> list[str]:
    return [sentence.format(**row) for row in owner(connection).rows(statement)]


def row_level_security_is_on(connection: Connection) -> list[str]:
    return _names(
        connection,
        f"""
        with tables as ({_TABLES})
        select t.name from tables t join pg_class c using (oid)
        where t.relkind in ('r', 'p') and not c.relrowsecurity
        order by 1
        """,
        "{name} has no row-level security",
    )


def views_run_as_their_caller(connection: Connection) -> list[str]:
    return _names(
        connection,
        f"""
        with tables as ({_TABLES})
        select t.name from tables t join pg_class c using (oid)
        where t.relkind = 'v' and not coalesce('security_invoker=true' = any (c.reloptions), false)
            or t.relkind in ('m', 'f')
        order by 1
        """,
        "{name} is read as its owner, past row-level security",
    )


def everything_has_a_comment(connection: Connection) -> list[str]:
    return _names(
        connection,
        f"""
        with tables as ({_TABLES}), functions as ({_FUNCTIONS}),
        types as (
            select object.oid, format('%I.%I', nspname, typname) as name
            from pg_type object join pg_namespace n on n.oid = typnamespace
            left join pg_class c on c.oid = object.typrelid
            where {_OURS} and (typtype in ('e', 'd', 'r') or c.relkind = 'c')
        )
        select name from tables
        where relkind in ('r', 'p', 'v', 'm') and obj_description(oid, 'pg_class') is null
        union all
        select name from functions where obj_description(oid, 'pg_proc') is null
        union all
        select name from types where obj_description(oid, 'pg_type') is null
        union all
        select nspname from pg_namespace
        where nspname in ('private', 'worker', 'ops') and obj_description(oid, 'pg_namespace') is null
        order by 1
        """,
        "{name} has no comment",
    )


def functions_pin_an_empty_search_path(connection: Connection) -> list[str]:
    return _names(
        connection,
        f"""
        with functions as ({_FUNCTIONS})
        select name from functions
        where not coalesce('search_path=""' = any (proconfig), false)
        order by 1
        """,
        "{name} does not set search_path = ''",
    )


def nobody_executes_by_default(connection: Connection) -> list[str]:
    """PUBLIC and anon execute nothing, clients nothing of `worker`, the service credential only `worker`."""
    return _names(
        connection,
        f"""
        with functions as ({_FUNCTIONS})
        select f.name, coalesce(r.rolname, 'PUBLIC') as role
        from functions f
        join pg_proc p using (oid)
        cross join lateral aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a
        left join pg_roles r on r.oid = a.grantee
        where a.grantee <> p.proowner
            and (r.rolname, f.nspname) is distinct from ('service_role', 'worker')
            and not (r.rolname is not distinct from 'authenticated' and f.nspname in ('public', 'private'))
        order by 1, 2
        """,
        "{role} may execute {name}",
    )


def operators_keep_their_schema_to_themselves(connection: Connection) -> list[str]:
    """No API role may use `ops` or anything in it, be it by a grant, through PUBLIC or as a member."""
    return _names(
        connection,
        f"""
        with tables as ({_TABLES}), functions as ({_FUNCTIONS}),
        roles as (select unnest(array['anon', 'authenticated', 'service_role', 'authenticator']) as role),
        held as (
            select role, 'use' as verb, 'ops' as name from roles
            where has_schema_privilege(role, 'ops', 'usage, create')
            union all
            select role, 'execute', f.name from roles, functions f
            where f.nspname = 'ops' and has_function_privilege(role, f.oid, 'execute')
            union all
            select role, 'read or write', t.name from roles, tables t
            where t.nspname = 'ops'
                and has_table_privilege(role, t.oid, 'select, insert, update, delete, truncate')
            union all
            -- Roles that it does not inherit, but may switch to.
            select role, 'become', r.rolname from roles, pg_roles r
            where pg_has_role(role, r.oid, 'member') and has_schema_privilege(r.oid, 'ops', 'usage')
        )
        select * from held order by 1, 2, 3
        """,
        "{role} may {verb} {name}",
    )


def foreign_keys_are_indexed(connection: Connection) -> list[str]:
    """Each key has an index that begins with its columns, in any order."""
    return _names(
        connection,
        f"""
        with tables as ({_TABLES})
        select k.conname as key, t.name
        from pg_constraint k
        join tables t on t.oid = k.conrelid
        where k.contype = 'f' and not exists (
            select from pg_index i
            where i.indrelid = k.conrelid
                -- Rows that link to nothing need no entry.
                and (i.indpred is null or pg_get_expr(i.indpred, i.indrelid) = any (array(
                    select format('(%I IS NOT NULL)', a.attname)
                    from pg_attribute a where a.attrelid = k.conrelid and a.attnum = any (k.conkey)
                )))
                and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] @> k.conkey
                and (i.indkey::int2[])[0:cardinality(k.conkey) - 1] <@ k.conkey
        )
        order by 1
        """,
        "{key} of {name} has no index",
    )


def foreign_keys_say_what_deleting_does(connection: Connection) -> list[str]:
    return _names(
        connection,
        f"""
        with tables as ({_TABLES})
        select k.conname as key, t.name
        from pg_constraint k join tables t on t.oid = k.conrelid
        where k.contype = 'f' and k.confdeltype = 'a'
        order by 1
        """,
        "{key} of {name} leaves on delete to the default",
    )


def links_stay_within_their_tenant(connection: Connection) -> list[str]:
    """A key between two tenant tables carries org_id, and company_id if the other table requires one."""
    return _names(
        connection,
        f"""
        with tables as ({_TABLES}),
        keys as (
            select k.conname as key, t.name, c.attname as tenant_column
            from pg_constraint k
            join tables t on t.oid = k.conrelid
            join pg_attribute c on c.attrelid = k.conrelid and c.attname in ('org_id', 'company_id')
            join pg_attribute f on f.attrelid = k.confrelid and f.attname = c.attname
                and (f.attname = 'org_id' or f.attnotnull)
            where k.contype = 'f' and not exists (
                select from unnest(k.conkey, k.confkey) pair (here, there)
                where pair.here = c.attnum and pair.there = f.attnum
            )
        )
        select * from keys order by 1, 3
        """,
        "{key} of {name} can link across tenants: it lacks {tenant_column}",
    )


def tables_belong_to_an_org(connection: Connection) -> list[str]:
    """Each table has an org_id, or its comment says that it is global and no client may write it."""
    return _names(
        connection,
        f"""
        with tables as ({_TABLES})
        select t.name
        from tables t
        where t.nspname = 'public' and t.relkind in ('r', 'p') and t.relname <> 'orgs'
            and not exists (
                select from pg_attribute a where a.attrelid = t.oid and a.attname = 'org_id' and a.attnotnull
            )
            and (
                obj_description(t.oid, 'pg_class') not like '%Global%'
                or has_any_column_privilege('authenticated', t.oid, 'insert, update')
                or has_table_privilege('authenticated', t.oid, 'delete')
            )
        order by 1
        """,
        "{name} has no org_id",
    )


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
    return _names(
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


def grants_are_minimal(connection: Connection) -> list[str]:
    """On tables, columns and sequences, only clients have grants, and only to read and write data."""
    return _names(
        connection,
        f"""
        with tables as ({_TABLES}),
        grants as (
            select t.name, a.grantee, a.privilege_type
            from tables t join pg_class c using (oid)
            cross join lateral aclexplode(c.relacl) a
            where a.grantee <> c.relowner
            union
            select t.name || '.' || quote_ident(col.attname), a.grantee, a.privilege_type
            from tables t join pg_class c using (oid)
            join pg_attribute col on col.attrelid = t.oid
            cross join lateral aclexplode(col.attacl) a
            where a.grantee <> c.relowner
        )
        select coalesce(r.rolname, 'PUBLIC') as role, lower(g.privilege_type) as privilege, g.name
        from grants g left join pg_roles r on r.oid = g.grantee
        where r.rolname is distinct from 'authenticated'
            or g.privilege_type not in ('SELECT', 'INSERT', 'UPDATE', 'DELETE')
        order by 3, 1, 2
        """,
        "{role} may {privilege} {name}",
    )


def functions_tell_what_they_raise(connection: Connection) -> list[str]:
    """The comment of a function names every code that its body raises."""
    statement = f"""
        with functions as ({_FUNCTIONS})
        select name, prosrc as body, coalesce(obj_description(oid, 'pg_proc'), '') as comment
        from functions order by 1
    """
    return [
        f"{row['name']} raises {code}, which its comment does not say"
        for row in owner(connection).rows(statement)
        for code in sorted(set(re.findall(r"raise_error\(\s*\d+,\s*'(\w+)'", row["body"])))
        if code not in re.findall(r"\w+", row["comment"])
    ]


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


def definers_ask_for_the_org(connection: Connection) -> list[str]:
    """Definer functions bypass the policies: one that compares with the caller's user names the org too."""
    findings = []
    statement = f"""
        with functions as ({_FUNCTIONS})
        select name, body from functions f join pg_proc p using (oid), lateral (select p.prosrc as body) b
        where p.prosecdef order by 1
    """
    for row in owner(connection).rows(statement):
        for part in row["body"].split(";"):
            if re.search(r"= v_caller\.user_id", part) and not re.search(r"org_id = v_caller\.org_id", part):
                findings.append(f"{row['name']} finds rows by the caller's user without its org")
    return findings


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


def settings_are_named_and_the_callers_is_kept_apart(connection: Connection) -> list[str]:
    """Functions name the settings that they set: a client who could set `private.caller` could be anybody."""
    statement = f"""
        with functions as ({_FUNCTIONS})
        select name, prosrc as body from functions where prosrc ~ '\\mset_config\\M' order by 1
    """
    findings = []
    for row in owner(connection).rows(statement):
        named = re.findall(r"\bset_config\('(private\.\w+)'", row["body"])
        if len(named) < len(re.findall(r"\bset_config\b", row["body"])):
            findings.append(f"{row['name']} sets a setting that it does not name")
        if row["name"] != "private.resolve_caller()" and any(
            name.startswith("private.caller") for name in named
        ):
            findings.append(f"{row['name']} sets who is calling")
    return findings


GUARDS: tuple[Guard, ...] = (
    row_level_security_is_on,
    views_run_as_their_caller,
    everything_has_a_comment,
    functions_pin_an_empty_search_path,
    nobody_executes_by_default,
    operators_keep_their_schema_to_themselves,
    foreign_keys_are_indexed,
    foreign_keys_say_what_deleting_does,
    links_stay_within_their_tenant,
    tables_belong_to_an_org,
    policies_read_the_caller_once,
    policies_are_for_clients_and_named_so,
    policies_name_their_tenant,
    updates_hold_old_and_new_rows_alike,
    definers_ask_for_the_org,
    grants_are_minimal,
    functions_tell_what_they_raise,
    settings_are_named_and_the_callers_is_kept_apart,
)
