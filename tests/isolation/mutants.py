"""`make mutants` takes down the fences one at a time and shows that something notices each time.

Every mutant is made and undone in a transaction that never commits. Four checks run in this order, until one
notices: a policy measured alone (table_policies), a link made by hand (links), calls of the functions
(function_calls, remembered_results), and the guards of the catalogue. Requests as shipped are no check here:
a policy alone lets through at least as much as it does behind the other fences. So a mutant that only a guard
notices changes no behaviour today: another fence forbids the same.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tests.isolation import function_calls, links, remembered_results, table_policies
from tests.isolation.catalogue import exposed_functions, exposed_schemas
from tests.isolation.catalogue import links as foreign_keys
from tests.isolation.function_rules import FUNCTIONS
from tests.isolation.table_rules import TABLES
from tests.isolation.world import World
from tests.support.guards import GUARDS
from tests.support.guards.conditions import weakened
from tests.support.sql_client import Connection, owner

# Conditions in functions that decide who a caller is or what it may take, each with the shortest way past it.
AUTHORITY = (
    ("private.look_up_caller", "when t.revoked_at is not null then 'api_token_revoked'", ""),
    ("private.look_up_caller", "when t.expires_at <= now() then 'api_token_expired'", ""),
    ("private.look_up_caller", "when t.company_id <> u.company_id then 'forbidden'", ""),
    ("private.look_up_caller", "where t.token_hash = v_token_hash", "order by t.created_at limit 1"),
    ("private.look_up_caller", "where u.identity_id = v_subject::uuid", "order by u.role desc limit 1"),
    ("private.look_up_caller", "on u.id = t.user_id", "on u.org_id = t.org_id and u.role = 'org_admin'"),
    ("private.look_up_caller", "coalesce(u.company_id, t.company_id)", "u.company_id"),
    ("private.look_up_caller", "least(u.role, t.role)", "u.role"),
    # Both places at once: for tokens and for sessions.
    ("private.look_up_caller", "when o.disabled_at is not null then 'org_disabled'", "when false then null"),
    (
        "private.look_up_caller",
        "when u.deactivated_at is not null then 'user_deactivated'",
        "when false then null",
    ),
    # Both halves at once: constraints of users and api_tokens make each follow from the other.
    (
        "private.caller_is_org_wide",
        "coalesce(v_caller.role = 'org_admin' and v_caller.company_id is null, false)",
        "v_caller.org_id is not null",
    ),
    ("private.recall_result", "coalesce(v_caller.api_token_id, v_caller.user_id)", "v_caller.user_id"),
    ("private.remember_result", "coalesce(v_caller.api_token_id, v_caller.user_id)", "v_caller.user_id"),
    ("private.acceptable_invitations", "i.email = private.lower_ascii(p_email)", "true"),
    ("private.admit_identity", "where a.id = p_invitation_id", ""),
)
_CALLER = {"private.look_up_caller", "private.resolve_caller", "private.caller_is_org_wide"}
_TENANT_CONDITION = re.compile(
    r"(?:\w+\.)?(?:(?:org_id|company_id|user_id) = v_caller\.(?:org_id|company_id|user_id)"
    r"|holder_id = v_holder_id)"
)


@dataclass(frozen=True)
class Mutant:
    """`notice` says what notices the mutant, or None."""

    kind: str
    what: str
    statement: str
    notice: Callable[[World], str | None]


@dataclass(frozen=True)
class Verdict:
    mutant: Mutant
    noticed_by: str | None


def judge(world: World, mutant: Mutant) -> Verdict:
    assert world.rows  # read while the fences stand
    with world.connection.transaction(force_rollback=True):
        owner(world.connection).change(mutant.statement)
        noticed_by = mutant.notice(world) or _noticing_guard(world.connection)
    return Verdict(mutant, noticed_by)


def mutants(connection: Connection) -> list[Mutant]:
    return [
        *_without_policies(connection),
        *_without_row_level_security(connection),
        *_with_weaker_policies(connection),
        *_without_links(connection),
        *_with_weaker_functions(connection),
    ]


def _policies(connection: Connection) -> list[dict[str, str]]:
    return owner(connection).rows(
        "select policyname::text as name, tablename::text as table, schemaname::text as schema, "
        "qual, with_check "
        "from pg_policies where schemaname = any (%(schemas)s) order by tablename, policyname",
        {"schemas": exposed_schemas()},
    )


def _without_policies(connection: Connection) -> Iterator[Mutant]:
    for policy in _policies(connection):
        statement = f"drop policy {policy['name']} on {policy['schema']}.{policy['table']}"
        yield Mutant("policy dropped", policy["name"], statement, _by_table(policy["table"]))


def _without_row_level_security(connection: Connection) -> Iterator[Mutant]:
    for name in TABLES:
        statement = f"alter table public.{name} disable row level security"
        yield Mutant("row-level security off", name, statement, _by_table(name))


def _with_weaker_policies(connection: Connection) -> Iterator[Mutant]:
    for policy in _policies(connection):
        on = f"{policy['name']} on {policy['schema']}.{policy['table']}"
        for clause, condition in (("using", policy["qual"]), ("with check", policy["with_check"])):
            for taken_out, rest in weakened(condition) if condition else ():
                yield Mutant(
                    f"condition taken out of {clause}",
                    f"{policy['name']}: {taken_out}",
                    f"alter policy {on} {clause} ({rest})",
                    _by_table(policy["table"]),
                )


def _without_links(connection: Connection) -> Iterator[Mutant]:
    for link in foreign_keys(connection):
        if "org_id" in link.columns and link.parent != "orgs":
            statement = f"alter table public.{link.table} drop constraint {link.name}"
            yield Mutant("tenant key dropped", link.name, statement, _by_table(link.table))


def _with_weaker_functions(connection: Connection) -> Iterator[Mutant]:
    definers = owner(connection).rows(
        """
        select format('%I.%I', n.nspname, p.proname) as name, pg_get_functiondef(p.oid) as definition,
            p.prosecdef
        from pg_proc p join pg_namespace n on n.oid = p.pronamespace
        where n.nspname in ('public', 'private') and p.prokind = 'f'
        order by 1
        """
    )
    definitions = {row["name"]: row["definition"] for row in definers}
    for row in definers:
        for found in _TENANT_CONDITION.finditer(row["definition"]) if row["prosecdef"] else ():
            statement = row["definition"][: found.start()] + "true" + row["definition"][found.end() :]
            line = row["definition"][: found.start()].count("\n")
            yield Mutant(
                "condition taken out of a function",
                f"{row['name']}, line {line}: {found[0]}",
                statement,
                _by_functions(definitions, row["name"]),
            )
    for name, old, new in AUTHORITY:
        definition = definitions[name]
        assert old in definition, f"{name} no longer has: {old}. Correct AUTHORITY in mutants.py."
        yield Mutant(
            "condition taken out of a function",
            f"{name}: {old}",
            definition.replace(old, new),
            _by_functions(definitions, name),
        )


def _by_table(name: str) -> Callable[[World], str | None]:
    def notice(world: World) -> str | None:
        table, rules = world.table(name), TABLES[name]
        if table_policies.sweep(world, table, rules, until_noticed=True).deviations:
            return "policy alone"
        if links.sweep(world, table, rules).deviations:
            return "link by hand"
        return None

    return notice


def _by_functions(definitions: dict[str, str], changed: str) -> Callable[[World], str | None]:
    """Asks the functions that call the changed one, and a table if policies call it."""
    names = _reaching(definitions, changed)
    if changed in _CALLER:
        names = ["public.auth_context"]

    def notice(world: World) -> str | None:
        if changed in _CALLER:
            by_table = _by_table("submissions")(world)
            if by_table:
                return by_table
        if changed in ("private.recall_result", "private.remember_result"):
            return "call" if remembered_results.sweep(world).deviations else None
        for function in exposed_functions(world.connection):
            if function.qualified in names:
                rules = FUNCTIONS[function.qualified]
                if function_calls.sweep(world, function, rules, until_noticed=True).deviations:
                    return "call"
        return None

    return notice


def _reaching(definitions: dict[str, str], changed: str) -> list[str]:
    """Public functions that call the changed one, directly or through others."""
    reaching = {changed}
    while True:
        more = {
            name
            for name, definition in definitions.items()
            if any(f"{other}(" in definition.partition("AS $")[2] for other in reaching)
        }
        if more <= reaching:
            return sorted(name for name in reaching if name.startswith("public."))
        reaching |= more


def _noticing_guard(connection: Connection) -> str | None:
    for guard in GUARDS:
        if guard(connection):
            return f"guard {guard.__name__}"
    return None


def report(verdicts: list[Verdict]) -> str:
    """A table of the mutants, and how many each check noticed."""
    lines = [f"{v.mutant.kind:34} {v.noticed_by or 'NOBODY':42} {v.mutant.what}" for v in verdicts]
    by_whom = [(v.noticed_by or "NOBODY").partition(" ")[0] for v in verdicts]
    totals = ", ".join(f"{by_whom.count(who)} by {who}" for who in sorted(set(by_whom)))
    return "\n".join([*lines, "", f"{len(verdicts)} mutants: {totals}."])
