"""Guards on the text of the migrations, such as the comment above a function."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from local.settings import ROOT

Sources = dict[str, str]  # file name → text
Guard = Callable[[Sources], list[str]]

_FUNCTION = re.compile(
    r"^create (?:or replace )?function ([\w.]+)\((.*?)^as \$(\w*)\$", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Function:
    name: str
    head: str  # from the arguments to the body
    comment: str  # the lines above it
    file: str


def migration_sources() -> Sources:
    return {path.name: path.read_text() for path in sorted((ROOT / "supabase" / "migrations").iterdir())}


def functions(sources: Sources) -> Iterator[Function]:
    for file, text in sources.items():
        for found in _FUNCTION.finditer(text):
            above = re.search(r"((?:^--.*\n)*)\Z", text[: found.start()], re.MULTILINE)
            assert above
            yield Function(found[1], found[2], above[1], file)


def names_are_a_time_and_a_noun(sources: Sources) -> list[str]:
    findings = [
        f"{name} is not 14 digits and a noun"
        for name in sources
        if not re.fullmatch(r"\d{14}_[a-z]+(_[a-z]+)*\.sql", name)
    ]
    times = [name[:14] for name in sources]
    return findings + [f"{time} is there twice" for time in sorted(set(times)) if times.count(time) > 1]


def files_begin_with_what_they_are_for(sources: Sources) -> list[str]:
    return [f"{name} has no header" for name, text in sources.items() if not re.match(r"-- [A-Z].+\.", text)]


def definer_functions_say_why(sources: Sources) -> list[str]:
    """A definer function says why in the line above, or in the header if all of the file are definers."""
    headers = {file: text[: text.find("\n\n")] for file, text in sources.items()}
    return [
        f"{function.name} is security definer and does not say why"
        for function in functions(sources)
        if "security definer" in function.head
        and "Definer:" not in function.comment
        and not re.search(r"\bdefiner\b", headers[function.file])
    ]


def functions_state_security_and_volatility(sources: Sources) -> list[str]:
    findings = []
    for function in functions(sources):
        if not re.search(r"^security (invoker|definer)$", function.head, re.MULTILINE):
            findings.append(f"{function.name} does not say as whom it runs")
        is_trigger = "returns trigger" in function.head
        if not is_trigger and not re.search(r"^(immutable|stable|volatile)$", function.head, re.MULTILINE):
            findings.append(f"{function.name} does not state its volatility")
    return findings


def references_say_what_deleting_does(sources: Sources) -> list[str]:
    """Every reference has an `on delete` clause: the catalogue cannot tell a missing one from `no action`."""
    return [
        f"{file} references {found[1]} without on delete"
        for file, text in sources.items()
        for found in re.finditer(r"\breferences ([\w.]+) \([^)]*\)(?! on delete)", text)
    ]


def codes_have_one_status(sources: Sources) -> list[str]:
    raised = re.findall(r"raise_error\(\s*(\d+),\s*'(\w+)'", "\n".join(sources.values()))
    codes = {code for _, code in raised}
    statuses = {code: sorted({status for status, other in raised if other == code}) for code in codes}
    return [f"{code} is {' and '.join(found)}" for code, found in sorted(statuses.items()) if len(found) > 1]


GUARDS: tuple[Guard, ...] = (
    names_are_a_time_and_a_noun,
    files_begin_with_what_they_are_for,
    definer_functions_say_why,
    functions_state_security_and_volatility,
    references_say_what_deleting_does,
    codes_have_one_status,
)
