"""The tenant tables, read from the catalogue of the database."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from tests.support.sql_client import Connection, owner


@dataclass(frozen=True)
class Table:
    name: str
    org_column: str
    company_column: str | None

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier("public", self.name)


def tenant_tables(connection: Connection) -> list[Table]:
    """Every table of an exposed schema whose rows belong to an org, and possibly to a company."""
    found = owner(connection).rows(
        """
        select c.relname::text as name,
            case when c.relname = 'orgs' then 'id' else 'org_id' end as org_column,
            case
                when c.relname = 'companies' then 'id'
                when bool_or(a.attname = 'company_id') then 'company_id'
            end as company_column
        from pg_class c
        join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p')
        group by c.relname
        having c.relname = 'orgs' or bool_or(a.attname = 'org_id')
        order by c.relname
        """
    )
    return [Table(**row) for row in found]
