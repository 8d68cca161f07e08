"""Prints the findings: the matrix on the terminal and in docs/isolation.md, the roles in docs/auth.md."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from local.settings import ROOT
from tests.isolation.callers import Caller
from tests.isolation.findings import Report
from tests.isolation.function_rules import FUNCTIONS
from tests.isolation.reach import ROLES, Reach, Rule
from tests.isolation.sweep import Section
from tests.isolation.table_rules import TABLES

ISOLATION_PAGE = ROOT / "docs" / "isolation.md"
AUTH_PAGE = ROOT / "docs" / "auth.md"
BEGIN, END = "<!-- written by make isolation: begin -->", "<!-- written by make isolation: end -->"

NOTHING = "–"  # noqa: RUF001 (a dash in prose)

LEGEND = """\
O  rows of the caller's org               x  nothing: there is no grant
C  rows of the caller's company           -  nothing: no row is in reach, or the call is refused
o  rows that the caller made or owns      !  not as expected: a defect
*  rows that all orgs share, like steps"""

INTRODUCTION = f"""\
# Isolation

Many orgs share one database. This page shows how far each kind of caller gets in it, as tried, not as
intended. `make isolation` builds two orgs with two companies each, every kind of caller, and rows in every
table for every org and company. Then it makes the attempts below and writes this page.

A column is a caller. A row is a verb on a table, a function or an endpoint. The letter says how far the
caller gets:

```text
{LEGEND}
```

A letter stands only if every attempt of its cell ended as
[`table_rules.py`](../tests/isolation/table_rules.py) and
[`function_rules.py`](../tests/isolation/function_rules.py) say, for rows of every kind: the caller's own,
others' in its company, the other company's, the org's as a whole, and the other org's. The sweep finds
tables, functions and endpoints by itself, so a new one without an expectation is a defect too.

The attempts:

- **Each policy alone.** In a transaction that never commits, the sweep takes down the grants, triggers and
  other policies of a table. The policy of one verb remains, and must let through exactly the rows that the
  rules name. So no fence relies on another.
- **Each verb as shipped.** Select (every column), embedding through every foreign key, insert, upsert, update
  and delete, with and without a condition, with ids of others in every column that takes one.
- **Each function**, with ids of every org and company in every argument that takes one, also inside JSON
  bodies. An id of others must get exactly the answer for an id that nobody has, so that callers cannot tell
  whether it exists. No answer may hold anything of others, and no call may change anything of others.
- **Each link.** Not even the owner of the database can make a row point into another tenant.
- **The same over HTTP**, straight at the Data API and through every endpoint of the API, with ids of others.
  These requests commit, so the sweep compares all rows after every caller. Here a letter says what the rules
  grant; the sweep proves that no request got further.

`make mutants` tests the sweep: it takes away every policy, condition, tenant key and row-level security
itself, one at a time, and fails unless something notices each. [security.md](security.md) has the layers and
the limits of this proof.
"""


def table(title: str, report: Report, callers: Sequence[Caller]) -> str:
    """The rows of one section, with a column for each caller."""
    rows = list(dict.fromkeys(row for row, _ in report.cells))
    width = max(map(len, rows), default=0)
    head = " ".join(f"{caller.code:2}" for caller in callers)
    lines = [f"{row:{width}}  {_cells(report, row, callers)}".rstrip() for row in rows]
    return "\n".join([f"{title:{width}}  {head}".rstrip(), *lines])


def _cells(report: Report, row: str, callers: Sequence[Caller]) -> str:
    return " ".join(f"{report.cells.get((row, caller.code), ' '):2}" for caller in callers)


def legend(callers: Iterable[Caller]) -> str:
    return "\n".join(f"{caller.code}  {caller.who}" for caller in callers)


def page(sections: Sequence[Section]) -> str:
    """The text of docs/isolation.md. It depends on the schema and the rules alone."""
    callers = {caller.code: caller for section in sections for caller in section.callers}
    parts = [
        INTRODUCTION,
        "## Callers\n",
        f"```text\n{legend(callers.values())}\n```\n",
        "Unless the list says otherwise, callers belong to the first org, or to its first company. Over HTTP",
        "the sweep tries one caller of each authority and one of each refusal.\n",
    ]
    for section in sections:
        rows = table("", section.report, section.callers)
        parts += [f"## {section.title}\n", f"```text\n{rows}\n```\n"]
    parts.append(f"Leaks: {sum(len(section.report.deviations) for section in sections)}.")
    return "\n".join(parts) + "\n"


def roles() -> str:
    """The tables of roles in docs/auth.md: the rules that the sweep confirms, in words."""
    lines = [
        "| rows of | " + " | ".join(f"`{role}`" for role in ROLES) + " |",
        "| --- |" + " --- |" * len(ROLES),
    ]
    for name, rules in TABLES.items():
        verbs = {"read": rules.select, "create": rules.insert, "change": rules.update, "delete": rules.delete}
        cells = [_words(verbs, role) for role in ROLES]
        lines.append(f"| `{name}` | " + " | ".join(cells) + " |")
    lines += [
        "",
        "| call | " + " | ".join(f"`{role}`" for role in ROLES) + " |",
        "| --- |" + " --- |" * len(ROLES),
    ]
    for name, function in sorted(FUNCTIONS.items()):
        rule = next((id_.may for id_ in function.ids.values()), function.may)
        reads = name.startswith(("public.get_", "public.list_")) or name == "public.auth_context"
        if reads or function.fixed:
            continue
        cells = [_reach(rule, role) for role in ROLES]
        lines.append(f"| `{name.removeprefix('public.')}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _words(verbs: dict[str, Rule], role: str) -> str:
    by_reach: dict[str, list[str]] = {}
    for verb, rule in verbs.items():
        reach = _reach(rule, role)
        if reach != NOTHING:
            by_reach.setdefault(reach, []).append(verb)
    return "; ".join(f"{', '.join(names)}: {reach}" for reach, names in by_reach.items()) or NOTHING


def _reach(rule: Rule, role: str) -> str:
    reach: Reach = getattr(rule, role)
    if reach is Reach.NONE:
        return NOTHING
    notes = [
        note
        for note, holds in (
            ("with a session", rule.only_sessions),
            ("up to their own role", rule.not_above_own_role),
            ("in their own name", rule.in_own_name),
        )
        if holds
    ]
    return reach.value + (f" ({', '.join(notes)})" if notes else "")


def with_block(text: str, block: str) -> str:
    """The page with the block between its marks replaced."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{after}"
