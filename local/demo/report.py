"""The demo's report: tables that fit 80 columns."""

from __future__ import annotations

import unicodedata
from collections import defaultdict
from collections.abc import Iterable
from difflib import SequenceMatcher
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from local.demo.findings import DuplicateGroups, Example, Findings
from local.demo.models import Verdict
from local.demo.walkthrough import Demo
from local.demo_people import OUTSIDER

# Header in the sample file → field that the pipeline writes.
_FIELDS = {
    "Account Name": "name",
    "Website": "domain",
    "E-Mail": "email",
    "Phone": "phone",
    "Country": "country",
    "City": "city",
    "Employees": "employees",
}
_EXAMPLES = 5
_DIFFERING_FIELDS = 5


def print_report(console: Console, findings: Findings) -> None:
    """Prints all tables."""
    for table in (
        _ledger(findings),
        _rejections(findings),
        _duplicates(findings),
        _examples(findings.examples(_EXAMPLES)),
        _endings(findings),
    ):
        console.print()
        console.print(table)


def print_next_commands(demo: Demo, up: str | None) -> None:
    """Prints what to try next. `up` is the command that starts the stack again, None while it runs."""
    demo.console.print("\n[b]Try next[/]")
    for line in (
        *((up,) if up else ()),
        f"# {'then ' if up else ''}open {demo.api_url}/docs in a browser, or:",
        f"curl {demo.api_url}/v1/pipeline-runs/list -d '{{}}' \\",
        "  -H 'Content-Type: application/json' \\",
        f'  -H "Authorization: Bearer $(cat {_short(demo.token_file)})"',
    ):
        demo.console.print(f"  {line}", highlight=False, markup=False, soft_wrap=True)


def _ledger(findings: Findings) -> Table:
    table = _table("Records", "step", "in", "added", "out", "rejected", "dropped", "balance")
    rows = findings.submission.record_count + findings.submission.rejected_count
    _add_row(
        table, "ingestion", rows, 0, findings.submission.record_count, findings.submission.rejected_count, 0
    )
    for step in findings.run.steps:
        _add_row(
            table,
            step.slug,
            step.records_in,
            step.records_added,
            step.records_out,
            step.records_rejected,
            step.records_dropped,
        )
    return table


def _add_row(table: Table, step: str, came: int, added: int, out: int, rejected: int, dropped: int) -> None:
    balanced = came + added == out + rejected + dropped
    numbers = [str(number) if number else "·" for number in (came, added, out, rejected, dropped)]
    table.add_row(step, *numbers, "[green]✓[/]" if balanced else "[red]✗[/]")


def _rejections(findings: Findings) -> Table:
    table = _table("Rejected", "step", "reason", "records", "for example", right=("records",))
    groups: dict[tuple[int, str, str], list[Verdict]] = defaultdict(list)
    for verdict in findings.rejected:
        groups[verdict.position, verdict.slug or "ingestion", _reason(verdict)].append(verdict)
    for (_, slug, reason), verdicts in sorted(groups.items()):
        table.add_row(slug, reason, str(len(verdicts)), f"{verdicts[0].id}: {verdicts[0].message}")
    return table


def _reason(verdict: Verdict) -> str:
    """The reason; for a violated schema also the first field that violates it."""
    errors = (verdict.details or {}).get("errors")
    return f"{verdict.reason}: {errors[0]['field']}" if errors else verdict.reason


def _duplicates(findings: Findings) -> Table:
    table = _table(
        f"Duplicates dropped: {len(findings.dropped)}",
        *("record", "as it came in", "same as", "as it came in", "by"),
        right=("record", "same as"),
    )
    table.caption, table.caption_justify = _groups(findings), "left"
    for verdict in _telling_duplicates(findings):
        details = verdict.details or {}
        fields = " or ".join(" and ".join(fields) for fields in details.get("matched_on", []))
        original = str(details.get("duplicate_of"))
        table.add_row(
            verdict.id, _cell(_name(findings, verdict.id)), original, _cell(_name(findings, original)), fields
        )
    return table


def _groups(findings: Findings) -> str | None:
    """How many groups there are, which is the largest, and what differed within them."""
    groups = DuplicateGroups.of(findings.dropped)
    if groups.largest_kept is None:
        return None
    differing = [f"{field} ({count})" for field, count in groups.differing.items()][:_DIFFERING_FIELDS]
    return (
        f"{groups.count} groups; the largest has {groups.largest} records"
        f" ({_name(findings, groups.largest_kept).strip()}). "
        f"They differ in {', '.join(differing) or 'nothing'}."
    )


def _telling_duplicates(findings: Findings) -> list[Verdict]:
    """Three pairs of unequal names: those that differ most and least, and one between."""

    def folded(record_id: str) -> str:
        return unicodedata.normalize("NFKC", _name(findings, record_id)).casefold().strip()

    def likeness(verdict: Verdict) -> float:
        original = str((verdict.details or {}).get("duplicate_of"))
        return SequenceMatcher(None, folded(verdict.id), folded(original)).ratio()

    ranked = sorted(findings.dropped, key=likeness)
    differing = [verdict for verdict in ranked if likeness(verdict) < 1] or ranked
    places = sorted({0, len(differing) // 2, len(differing) - 1}) if differing else []
    return [differing[place] for place in places]


def _name(findings: Findings, record_id: str) -> str:
    return str(findings.inputs.get(record_id, {}).get("Account Name"))


def _examples(examples: Iterable[Example]) -> Table:
    table = _table("Before → after", "record", "field", "before", "after", right=("record",))
    for example in examples:
        sources = example.after.get("_filled_from") or {}
        record_id = example.id
        for header, name in _FIELDS.items():
            before, after = _cell(example.before.get(header)), _cell(example.after.get(name))
            if before == after:
                continue
            if name in sources:
                after.append(f" (from {sources[name]})", "dim")
            table.add_row(record_id, name, before, after)
            record_id = ""
        table.add_section()
    return table


def _endings(findings: Findings) -> Table:
    table = _table("Where it went", "", "", right=())
    table.show_header = False
    table.add_row("CSV export", f"{findings.exported_rows} rows in {_short(findings.export)}")
    got = findings.deliveries
    signatures = "all signatures valid" if not got.refused else f"{got.refused} refused"
    table.add_row("Webhook", f"{got.records} records in {got.batches} batches, {signatures}")
    seen = findings.isolation
    table.add_row(
        "Another company's user",
        f"{OUTSIDER.email} lists {seen.runs_listed} of these runs; reading this one: {seen.run}",
    )
    return table


def _table(title: str, *columns: str, right: tuple[str, ...] | None = None) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        to_the_right = column in right if right is not None else index > 0
        table.add_column(column, justify="right" if to_the_right else "left", overflow="fold")
    return table


def _cell(value: object) -> Text:
    text = _shown(value)
    return Text(text if len(text) <= 60 else f"{text[:59]}…", overflow="fold")


def _shown(value: object) -> str:
    """The value, with symbols for its invisible characters."""
    if value is None or value == "":
        return "∅"
    visible = {"\u00a0": "⍽", "\t": "⇥", "\u200b": "⁞", "\n": "⏎"}
    text = "".join(visible.get(character, character) for character in str(value))
    return text if text == text.strip() else f"“{text}”"


def _short(path: Path) -> str:
    return str(path.relative_to(Path.cwd())) if path.is_relative_to(Path.cwd()) else str(path)
