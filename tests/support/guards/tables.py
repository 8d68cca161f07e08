"""Tables, views and their keys: row-level security, links within a tenant, indexes and comments."""

from __future__ import annotations

from tests.support.guards.catalogue import FUNCTIONS, OURS, TABLES, sentences
from tests.support.sql_client import Connection


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
