"""How the findings are shown: the matrix on the terminal and in docs/isolation.md, and the roles in
docs/auth.md."""

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
O  what belongs to the caller's org         x  nothing, for want of a grant
C  what belongs to the caller's company     -  nothing: no row is in reach, or the call is refused
o  what the caller itself made or owns      !  other than expected: a defect
*  what is everybody's, like the steps"""

INTRODUCTION = f"""\
# Isolation

Many orgs share one database. This page says what each kind of caller reaches of it, as found by trying, not
as intended. `make isolation` builds two orgs with two companies each, everybody who may turn up, and
something in every table for every place; then it makes every attempt that it can think of, and writes this
page.

How to read it: a column is a caller, a row is a verb on a table, a function or an endpoint, and a letter says
how far that caller gets.

```text
{LEGEND}
```

A letter stands only if every attempt of its cell ended as
[`table_rules.py`](../tests/isolation/table_rules.py) and
[`function_rules.py`](../tests/isolation/function_rules.py) say, for rows of every place: the caller's own,
those of others in its company, of the other company, of the org as a whole, and of the other org. Tables,
functions and endpoints are found, not listed, so a new one without an expectation is a defect too.

What is tried:

- **Each policy alone.** In a transaction that never commits, grants, triggers and the other policies of a
  table are taken down. What is left, the policy of one verb, must let exactly those rows through that it
  should. So no fence leans on another.
- **Each verb as shipped.** Select (every column), embedding through every foreign key, insert, upsert, update
  and delete, with a condition and without, naming ids of others wherever a column takes one.
- **Each function**, with ids of every place in every argument that takes one, also inside JSON bodies. An id
  of others must be answered exactly as one that nobody has, so that not even its existence shows. No answer
  may hold anything of others, and nothing of others may have changed afterwards.
- **Each link.** The owner of the database itself cannot make a row point into another tenant.
- **Over HTTP** the same, straight at the Data API and through every endpoint of the API, aimed at what others
  have. Nothing is undone there, so all rows are compared after whatever was answered as done. Here a letter
  says what the rules grant; what is proven is that no attempt got further.

`make mutants` turns the question round: it takes every policy, condition, tenant key and row-level security
itself away, one at a time, and fails unless something notices each. [security.md](security.md) has the
layers, and the limits of this proof.
"""


def table(title: str, report: Report, callers: Sequence[Caller]) -> str:
    """Rows of one section under the codes of the callers."""
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
    """docs/isolation.md: the same for the same schema and rules, whenever and wherever it is made."""
    callers = {caller.code: caller for section in sections for caller in section.callers}
    parts = [
        INTRODUCTION,
        "## Callers\n",
        f"```text\n{legend(callers.values())}\n```\n",
        "All but XO and XM belong to the first org, and those of a company to its first company. Over HTTP",
        "one of each authority and of each refusal is tried.\n",
    ]
    for section in sections:
        rows = table("", section.report, section.callers)
        parts += [f"## {section.title}\n", f"```text\n{rows}\n```\n"]
    parts.append(f"Leaks: {sum(len(section.report.deviations) for section in sections)}.")
    return "\n".join(parts) + "\n"


def roles() -> str:
    """What docs/auth.md says of the roles: the rules that the sweep confirms, in words."""
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
            ("up to the own role", rule.not_above_own_role),
            ("in the own name", rule.in_own_name),
        )
        if holds
    ]
    return reach.value + (f" ({', '.join(notes)})" if notes else "")


def with_block(text: str, block: str) -> str:
    """The page with the block between its marks replaced."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n\n{block}\n\n{END}{after}"
