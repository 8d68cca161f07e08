"""What the database says about itself. A guard returns its findings as sentences: none, and all is well."""

from __future__ import annotations

from dataclasses import dataclass

from psycopg import sql

from tests.database.client import Connection, owner


@dataclass(frozen=True)
class Table:
    name: str
    org_column: str
    company_column: str | None

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier("public", self.name)


def tenant_tables(connection: Connection) -> list[Table]:
    """Every table of an exposed schema whose rows belong to an org, and maybe to a company."""
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


def columns_granted(connection: Connection, table: str, privilege: str) -> list[str]:
    """Columns of a table on which `authenticated` holds the privilege."""
    granted = owner(connection).rows(
        """
        select a.attname::text as name
        from pg_attribute a
        where a.attrelid = format('public.%%I', %(table)s::text)::regclass and a.attnum > 0
            and not a.attisdropped and a.attgenerated = ''
            and has_column_privilege('authenticated', a.attrelid, a.attnum, %(privilege)s)
        order by a.attnum
        """,
        {"table": table, "privilege": privilege},
    )
    return [row["name"] for row in granted]


def other_values(connection: Connection, table: str, column: str) -> list[str]:
    """Values of the column's type that differ from what a row is likely to hold."""
    (found,) = owner(connection).rows(
        """
        select t.typcategory::text as category,
            array(select e.enumlabel::text from pg_enum e where e.enumtypid = t.oid) as labels,
            array(select c.id::text from public.companies c order by c.created_at limit 20) as companies
        from pg_attribute a
        join pg_type t on t.oid = a.atttypid
        where a.attrelid = format('public.%%I', %(table)s::text)::regclass and a.attname = %(column)s
        """,
        {"table": table, "column": column},
    )
    by_category: dict[str, list[str]] = {
        "S": ["attacked"],
        "A": ["{attacked}"],
        "D": ["2000-01-01T00:00:00Z"],
        "E": found["labels"],
        # Of the ids, clients write only that of a company; their own is among these.
        "U": found["companies"],
    }
    return by_category[found["category"]]
