"""What the guards look at: the objects in the project's own schemas, without those of extensions."""

from __future__ import annotations

from collections.abc import Callable

from tests.support.sql_client import Connection, owner

Guard = Callable[[Connection], list[str]]
"""Returns what it finds wrong, as sentences."""

OURS = """
    nspname in ('public', 'private', 'worker', 'ops')
    and not exists (select from pg_depend d where d.objid = object.oid and d.deptype = 'e')
"""
TABLES = f"""
    select object.oid, nspname, relname, format('%I.%I', nspname, relname) as name, relkind
    from pg_class object join pg_namespace n on n.oid = relnamespace
    where {OURS}
"""
FUNCTIONS = f"""
    select object.oid, nspname, object.oid::regprocedure::text as name, prosrc, proconfig
    from pg_proc object join pg_namespace n on n.oid = pronamespace
    where {OURS}
"""


def sentences(connection: Connection, statement: str, sentence: str) -> list[str]:
    return [sentence.format(**row) for row in owner(connection).rows(statement)]
