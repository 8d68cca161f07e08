"""Rules for the text of the migrations: the catalogue does not keep comments above functions, for example."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from local.settings import ROOT

Sources = dict[str, str]  # file name → text
Guard = Callable[[Sources], list[str]]

_FUNCTION = re.compile(
    r"^create (?:or replace )?function ([\w.]+)\((.*?)\bas \$(\w*)\$", re.MULTILINE | re.DOTALL
)
_HEAD = re.compile(
    r"^language (?:sql|plpgsql)(?P<volatility> immutable| stable| volatile)?(?: security definer)? "
    r"set search_path = '' ?$",
    re.MULTILINE,
)

# The policies of these tables need the caller, and the caller is found in their rows.
_NEEDED_TO_FIND_THE_CALLER = {"public.orgs", "public.users", "public.api_tokens"}


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


def lines_fit_on_a_screen(sources: Sources) -> list[str]:
    return [
        f"{file} has a line of {len(line)} characters: {line.strip()[:40]}"
        for file, text in sources.items()
        for line in text.splitlines()
        if len(line) > 130
    ]


def definer_functions_say_why(sources: Sources) -> list[str]:
    """The line above says why, or the header of a file whose functions are all definers."""
    headers = {file: text[: text.find("\n\n")] for file, text in sources.items()}
    return [
        f"{function.name} is security definer and does not say why"
        for function in functions(sources)
        if "security definer" in function.head
        and "Definer:" not in function.comment
        and not re.search(r"\bdefiner\b", headers[function.file])
    ]


def functions_have_a_head_of_one_line(sources: Sources) -> list[str]:
    """Language, volatility, `security definer` if it is, search path; further settings follow."""
    findings = []
    for function in functions(sources):
        head = _HEAD.search(function.head)
        if head is None or "security invoker" in function.head:
            findings.append(f"{function.name} has another head than the others")
        elif head["volatility"] is None and "returns trigger" not in function.head:
            findings.append(f"{function.name} does not state its volatility")
    return findings


def definitions_come_before_their_use(sources: Sources) -> list[str]:
    """Also in bodies, which Postgres resolves only when they run."""
    code = {file: re.sub(r"--.*|'(?:[^']|'')*'", "", text) for file, text in sources.items()}
    made = {
        found[1]: (file, found.start(1))
        for file, text in code.items()
        for found in re.finditer(r"^create (?:function|table|view|type) ([\w.]+)", text, re.MULTILINE)
    }
    early = {
        (file, found[0])
        for file, text in code.items()
        for found in re.finditer(r"\b(?:public|private|worker|ops)\.\w+", text)
        if (file, found.start()) < made.get(found[0], ("", 0))
    }
    return [
        f"{file} refers to {name} before {made[name][0]} creates it"
        for file, name in sorted(early)
        if name not in _NEEDED_TO_FIND_THE_CALLER
    ]


def references_say_what_deleting_does(sources: Sources) -> list[str]:
    """The text must say it: the catalogue cannot tell `no action` from silence."""
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
    lines_fit_on_a_screen,
    definer_functions_say_why,
    functions_have_a_head_of_one_line,
    definitions_come_before_their_use,
    references_say_what_deleting_does,
    codes_have_one_status,
)
