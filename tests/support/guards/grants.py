"""Grants: which role may execute, read, write or use an object."""

from __future__ import annotations

from tests.support.guards.catalogue import FUNCTIONS, TABLES, sentences
from tests.support.sql_client import Connection


def nobody_executes_by_default(connection: Connection) -> list[str]:
    """PUBLIC and anon execute nothing, clients nothing of `worker`, the service credential only `worker`."""
    return sentences(
        connection,
        f"""
        with functions as ({FUNCTIONS})
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
    return sentences(
        connection,
        f"""
        with tables as ({TABLES}), functions as ({FUNCTIONS}),
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


def grants_are_minimal(connection: Connection) -> list[str]:
    """On tables, columns and sequences, only clients have grants, and only to read and write data."""
    return sentences(
        connection,
        f"""
        with tables as ({TABLES}),
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
