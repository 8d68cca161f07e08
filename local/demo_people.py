"""The people of the demo's org, each with another role."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Person:
    email: str
    full_name: str
    role: str
    company: str | None


ADMIN = Person("ada@demo.example", "Ada Admin", "org_admin", None)
INSIDER = Person("nora@northwind.example", "Nora North", "company_admin", "northwind")
OUTSIDER = Person("sam@southwind.example", "Sam South", "member", "southwind")
EVERYBODY = (ADMIN, INSIDER, OUTSIDER)
