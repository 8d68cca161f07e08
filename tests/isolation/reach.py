"""How far a caller reaches: the words of the expectations, and their meaning for a row."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tests.support.tenants import Role

Values = Mapping[str, Any]

ROLES: tuple[Role, ...] = ("org_admin", "company_admin", "member")


class Reach(StrEnum):
    NONE = "none"
    OWN = "own"
    COMPANY = "company"
    COMPANY_AND_OWN = "company and own"
    # And the user behind the credential, wherever it is.
    COMPANY_AND_SELF = "company and self"
    ORG = "org"
    ALL = "all"


# How a matrix prints a reach.
SYMBOLS: Mapping[Reach, str] = {
    Reach.NONE: "-",
    Reach.OWN: "o",
    Reach.COMPANY: "C",
    Reach.COMPANY_AND_OWN: "C",
    Reach.COMPANY_AND_SELF: "C",
    Reach.ORG: "O",
    Reach.ALL: "*",
}


@dataclass(frozen=True)
class Authority:
    """The rights of a valid credential. `company_id` is None for a caller who acts for the whole org."""

    org_id: str
    company_id: str | None
    user_id: str
    role: Role
    is_session: bool


@dataclass(frozen=True)
class Row:
    """A row with the columns that decide who may reach it."""

    key: Values
    org_id: str | None
    company_id: str | None
    owner_id: str | None
    values: Values

    @property
    def scope(self) -> tuple[str | None, str | None]:
        return (self.org_id, self.company_id)


def within(reach: Reach, authority: Authority, row: Row) -> bool:
    """Whether the row lies in the reach. For a caller bound to no company, COMPANY is every company."""
    if reach is Reach.ALL:
        return True
    if reach is Reach.NONE or row.org_id != authority.org_id:
        return False
    in_company = authority.company_id is None or row.company_id == authority.company_id
    # A token acts for its creator, but a narrowed one reaches no row beyond its company, whoever owns it.
    is_own = row.owner_id == authority.user_id and (authority.is_session or in_company)
    return {
        Reach.ORG: True,
        Reach.COMPANY: in_company,
        Reach.OWN: is_own,
        Reach.COMPANY_AND_OWN: in_company or is_own,
        Reach.COMPANY_AND_SELF: in_company or row.owner_id == authority.user_id,
    }[reach]


@dataclass(frozen=True)
class Rule:
    """Who reaches which rows with one verb, and further conditions on the row and the credential."""

    org_admin: Reach = Reach.NONE
    company_admin: Reach = Reach.NONE
    member: Reach = Reach.NONE
    only_sessions: bool = False
    not_above_own_role: bool = False
    in_own_name: bool = False
    # Further conditions on the row, as column → allowed values.
    only: Mapping[str, tuple[Any, ...]] | None = None

    def reach(self, authority: Authority | None) -> Reach:
        if authority is None or (self.only_sessions and not authority.is_session):
            return Reach.NONE
        return {
            "org_admin": self.org_admin,
            "company_admin": self.company_admin,
            "member": self.member,
        }[authority.role]

    def reaches(self, authority: Authority | None, row: Row) -> bool:
        return authority is not None and within(self.reach(authority), authority, row)

    def allows(self, authority: Authority | None, row: Row) -> bool:
        """Whether the caller may write a row that looks like this."""
        if authority is None or not self.reaches(authority, row):
            return False
        if self.in_own_name and row.owner_id != authority.user_id:
            return False
        if self.not_above_own_role and ROLES.index(row.values["role"]) < ROLES.index(authority.role):
            return False
        return all(row.values[column] in allowed for column, allowed in (self.only or {}).items())

    @property
    def is_for_nobody(self) -> bool:
        return {self.org_admin, self.company_admin, self.member} == {Reach.NONE}


NOBODY = Rule()


def everybody(reach: Reach) -> Rule:
    return Rule(reach, reach, reach)
