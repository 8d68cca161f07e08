"""Tables, views and their keys: row-level security, links within a tenant, indexes and comments."""

from __future__ import annotations

import re

from tests.support.guards.catalogue import FUNCTIONS, OURS, TABLES, sentences
from tests.support.sql_client import Connection, owner

# The trigger that fills a new chunk bounds its records, and names the one that is wrong.
_BOUNDED_BY_A_TRIGGER = {"public.submission_chunks.records"}


def row_level_security_is_on(connection: Connection) -> list[str]:
    return sentences(
        connection,
        f"""
        with tables as ({TABLES})
        select t.name from tables t join pg_class c using (oid)
        where t.relkind in ('r', 'p') and not c.relrowsecurity
        order by 1
        """,
        "{name} has no row-level security",
    )


def views_run_as_their_caller(connection: Connection) -> list[str]:
    return sentences(
        connection,
        f"""
        with tables as ({TABLES})
        select t.name from tables t join pg_class c using (oid)
        where t.relkind = 'v' and not coalesce('security_invoker=true' = any (c.reloptions), false)
            or t.relkind in ('m', 'f')
        order by 1
        """,
        "{name} is read as its owner, past row-level security",
    )


def everything_has_a_comment(connection: Connection) -> list[str]:
    return sentences(
        connection,
        f"""
        with tables as ({TABLES}), functions as ({FUNCTIONS}),
        types as (
            select object.oid, format('%I.%I', nspname, typname) as name
            from pg_type object join pg_namespace n on n.oid = typnamespace
            left join pg_class c on c.oid = object.typrelid
            where {OURS} and (typtype in ('e', 'd', 'r') or c.relkind = 'c')
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


def foreign_keys_are_indexed(connection: Connection) -> list[str]:
    """Each key has an index that begins with its columns, in any order."""
    return sentences(
        connection,
        f"""
        with tables as ({TABLES})
        select k.conname as key, t.name
        from pg_constraint k
        join tables t on t.oid = k.conrelid
        where k.contype = 'f' and not exists (
            select from pg_index i
            where i.indrelid = k.conrelid
                -- A row without a link needs no entry.
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
    return sentences(
        connection,
        f"""
        with tables as ({TABLES})
        select k.conname as key, t.name
        from pg_constraint k join tables t on t.oid = k.conrelid
        where k.contype = 'f' and k.confdeltype = 'a'
        order by 1
        """,
        "{key} of {name} leaves on delete to the default",
    )


def links_stay_within_their_tenant(connection: Connection) -> list[str]:
    """A key between two tenant tables carries org_id, and company_id if the other table requires one."""
    return sentences(
        connection,
        f"""
        with tables as ({TABLES}),
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
    return sentences(
        connection,
        f"""
        with tables as ({TABLES})
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


def columns_that_clients_write_are_bounded(connection: Connection) -> list[str]:
    """A check of the column alone bounds what it holds, or a key to a column that has one."""
    rows = owner(connection).rows(
        f"""
        with tables as ({TABLES})
        select t.name || '.' || a.attname as name, a.attname::text as column,
            a.atttypid::regtype::text as type,
            (
                select coalesce(string_agg(pg_get_constraintdef(k.oid), ' '), '')
                from pg_constraint k
                where k.conrelid = t.oid and k.contype = 'c' and k.conkey = array[a.attnum]
            ) as rules
        from tables t
        join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
        where t.relkind in ('r', 'p')
            and a.atttypid::regtype::text in (
                'text', 'text[]', 'character varying', 'json', 'jsonb', 'jsonb[]', 'bytea'
            )
            and has_column_privilege('authenticated', t.oid, a.attnum, 'insert, update')
            and not exists (
                select from pg_constraint k
                where k.conrelid = t.oid and k.contype = 'f' and a.attnum = any (k.conkey)
            )
        order by 1
        """
    )
    return [
        f"{row['name']} has no bound"
        for row in rows
        if row["name"] not in _BOUNDED_BY_A_TRIGGER
        and not _is_bounded(row["column"], row["type"], row["rules"])
    ]


def _is_bounded(column: str, type_: str, rules: str) -> bool:
    if type_ != "text":
        return re.search(rf"private\.(is_bounded|are_fields)\({column}[,)]", rules) is not None
    # Not the length of what btrim leaves. A pattern bounds if it has both ends and repeats nothing freely.
    patterns = re.findall(rf"\b{column} ~ '\^([^']*)\$'", rules)
    return re.search(rf"\blength\({column}\) <= \d+", rules) is not None or any(
        not re.search(r"[*+]|\{\d+,\}", pattern) for pattern in patterns
    )
