"""Reads the audit log as it is stored."""

from __future__ import annotations

from typing import Any

from tests.support.sql_client import Client

Entry = dict[str, Any]


def last_id(postgres: Client) -> int:
    return int(postgres.value("select coalesce(max(id), 0) from public.audit_log"))


def entries(postgres: Client, org_id: str, entity: str | None = None, *, after_id: int = 0) -> list[Entry]:
    """Entries of an org in the order in which they were written."""
    return postgres.rows(
        """
        select a.*, a.org_id::text, a.company_id::text, a.actor_user_id::text, a.actor_api_token_id::text
        from public.audit_log a
        where a.org_id = %(org_id)s and a.id > %(after_id)s
            and (%(entity)s::text is null or a.entity = %(entity)s)
        order by a.id
        """,
        {"org_id": org_id, "after_id": after_id, "entity": entity},
    )


def told(found: list[Entry]) -> list[tuple[str, str]]:
    """The entity and the action of each entry."""
    return [(entry["entity"], entry["action"]) for entry in found]


def actor(entry: Entry) -> tuple[str, str | None, str | None, str | None]:
    return (entry["actor_type"], entry["actor_user_id"], entry["actor_api_token_id"], entry["actor_name"])


class Since:
    """The entries of an org since this was made, or since the last call."""

    def __init__(self, postgres: Client, org_id: str) -> None:
        self.postgres, self.org_id = postgres, org_id
        self.last_id = last_id(postgres)

    def __call__(self, entity: str | None = None) -> list[Entry]:
        found = entries(self.postgres, self.org_id, entity, after_id=self.last_id)
        self.last_id = last_id(self.postgres)
        return found
