"""Requests straight to the Data API, past the API: the same tables and functions, with ids of others.

The sweep relies only on what PostgREST documents. It compares an answer only with another answer of the
same server.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

from tests.isolation.callers import Caller
from tests.isolation.catalogue import (
    Function,
    Table,
    exposed_functions,
    key_set,
    keys,
    links,
    other_value,
    rows_of,
)
from tests.isolation.findings import REFUSED, Report
from tests.isolation.function_calls import hidden_from, words_of
from tests.isolation.function_rules import FUNCTIONS, FunctionRules, Id
from tests.isolation.over_http import Answered, HttpWorld
from tests.isolation.reach import SYMBOLS, Reach, Row
from tests.isolation.table_rules import TABLES, TableRules

_RETURN = "return=representation"
# Endpoints and functions that answer with all that a caller may see, unless a filter or an id says less.
_READS = re.compile(r"^(list|get)_|^auth_context$|/(list|get|context)$")


def sweep_tables(http: HttpWorld) -> Report:
    return Report().merge(
        _sweep_table(http, table, TABLES[table.name]) for table in http.world.tables if table.name in TABLES
    )


def sweep_functions(http: HttpWorld) -> Report:
    return Report().merge(
        _sweep_function(http, function, FUNCTIONS[function.qualified])
        for function in exposed_functions(http.world.connection)
        if function.qualified in FUNCTIONS
    )


def _sweep_table(http: HttpWorld, table: Table, rules: TableRules) -> Report:
    report = Report()
    row = table.name
    for caller in http.callers:
        _read(http, table, rules, caller, report)
        if caller.authority:
            _embed(http, table, caller, report)
            _write(http, table, rules, caller, report)
            http.expect_others_unchanged(caller, row, report)
        is_refused = caller.has_no_grants or caller.code in ("jF", "jX")
        report.mark(
            row, caller.code, REFUSED if is_refused else SYMBOLS[rules.select.reach(caller.authority)]
        )
    return report


def _read(http: HttpWorld, table: Table, rules: TableRules, caller: Caller, report: Report) -> None:
    answer = http.ask_data_api(caller, "GET", f"{table.name}?select={','.join(table.key)}")
    # Read now, because earlier callers have changed rows of their own.
    rows = rows_of(http.world.connection, table, rules.owner, http.world.org_ids)
    seen = keys(row for row in rows if rules.select.reaches(caller.authority, row))
    if caller.has_no_grants or caller.code in ("jF", "jX"):
        is_as_expected = answer.status in (401, 403)
    else:
        is_as_expected = answer.status == 200 and key_set(answer.body) == seen
    report.expect(
        is_as_expected,
        f"{caller.who} reads other rows of {table.name} through the Data API than table_rules.py says: "
        f"{answer.word}.",
        table.name,
        caller.code,
    )


def _embed(http: HttpWorld, table: Table, caller: Caller, report: Report) -> None:
    """Embeds the parents of every row through each foreign key, and the children of every parent."""
    for link in links(http.world.connection):
        if link.table != table.name or link.parent == link.table:
            continue
        for outer, inner in ((link.table, link.parent), (link.parent, link.table)):
            outer_key, inner_key = (",".join(http.world.table(name).key) for name in (outer, inner))
            path = f"{outer}?select={outer_key},found:{inner}!{link.name}({inner_key})"
            answer = http.ask_data_api(caller, "GET", path)
            found = [row["found"] for row in answer.body] if answer.status == 200 else []
            flat = [item for part in found if part for item in (part if isinstance(part, list) else [part])]
            stray = hidden_from(http.world, caller) & words_of(flat)
            report.expect(
                # A server may refuse to embed. The sweep in SQL proves that the pairs are right and complete.
                not stray and (answer.status == 200 or 400 <= answer.status < 500),
                f"{caller.who} sees other rows of {inner}, embedded in {outer} through {link.name}, "
                f"than the rules say: {answer.word}.",
                table.name,
                caller.code,
            )


def _write(http: HttpWorld, table: Table, rules: TableRules, caller: Caller, report: Report) -> None:
    """Updates and deletes all rows of others, org by org and company by company, and inserts among them."""
    columns = table.updatable or [table.org_column or table.key[0]]
    values = {columns[0]: other_value(http.world.connection, table, columns[0])}
    only_keys = f"select={','.join(table.key)}"
    for place in _places(http, table, caller):
        for method, body in (("PATCH", values), ("DELETE", None)):
            answer = http.ask_data_api(
                caller, method, f"{table.name}?{place}&{only_keys}", body, Prefer=_RETURN
            )
            report.expect(
                (answer.succeeded and not answer.body) or answer.status in (401, 403),
                f"{caller.who} reaches rows of others in {table.name} by {method}: {answer.word}.",
                table.name,
                caller.code,
            )
    for row in _others(http, table, caller):
        # The marker is replaced, or a copy in the caller's own org would look like a leak later.
        copied = json.loads(json.dumps(row.values).replace(http.world.marker, "attacked"))
        values = copied | rules.fresh
        insertable = {column: values[column] for column in table.insertable} or copied
        told = insertable | ({table.org_column: row.org_id} if table.org_column else {})
        for sent, prefer in (
            (insertable, _RETURN),
            (told, _RETURN),
            (copied, f"{_RETURN},resolution=merge-duplicates"),
        ):
            answer = http.ask_data_api(caller, "POST", f"{table.name}?{only_keys}", sent, Prefer=prefer)
            stray = (hidden_from(http.world, caller) & words_of(answer.body)) - words_of(sent)
            report.expect(
                not stray and (sent is insertable or answer.status in (400, 401, 403, 404, 409, 422)),
                f"{caller.who} writes rows of others into {table.name}: {answer.word}.",
                table.name,
                caller.code,
            )


def _places(http: HttpWorld, table: Table, caller: Caller) -> Iterator[str]:
    authority = caller.authority
    assert authority is not None
    if table.org_column:
        for org_id in http.world.org_ids:
            if org_id != authority.org_id:
                yield f"{table.org_column}=eq.{org_id}"
    if table.company_column and authority.company_id:
        yield f"{table.company_column}=not.eq.{authority.company_id}"


def _others(http: HttpWorld, table: Table, caller: Caller) -> list[Row]:
    """One row of each org and company that is not the caller's."""
    authority = caller.authority
    assert authority is not None
    by_place = {
        row.scope: row
        for row in http.world.rows[table.name]
        if row.org_id != authority.org_id
        or (authority.company_id and row.company_id not in (None, authority.company_id))
    }
    return list(by_place.values()) if table.org_column else []


def _sweep_function(http: HttpWorld, function: Function, rules: FunctionRules) -> Report:
    report = Report()
    for caller in http.callers:
        for answer, sent in _calls(http, function, rules, caller, report):
            stray = (hidden_from(http.world, caller) & words_of(answer.body)) - words_of(sent)
            report.expect(
                not stray,
                f"{caller.who}: {function.qualified} shows what belongs to others.",
                function.name,
                caller.code,
            )
        if caller.authority and function.is_volatile:
            http.expect_others_unchanged(caller, function.name, report)
        report.mark(function.name, caller.code, symbol(rules, caller))
    return report


def symbol(rules: FunctionRules, caller: Caller) -> str:
    if caller.has_no_grants:
        return REFUSED
    first = next(iter(rules.ids.values()), None)
    return SYMBOLS[(first.may if first else rules.may).reach(caller.authority)]


def _calls(
    http: HttpWorld, function: Function, rules: FunctionRules, caller: Caller, report: Report
) -> Iterator[tuple[Answered, dict[str, Any]]]:
    def call(ids: dict[str, str]) -> Answered:
        return http.ask_data_api(caller, "POST", f"rpc/{function.name}", dict(rules.arguments) | ids)

    yield from ask_for_others(http, rules, caller, function.name, call, report)


def ask_for_others(
    http: HttpWorld,
    rules: FunctionRules,
    caller: Caller,
    row: str,
    call: Callable[[dict[str, str]], Answered],
    report: Report,
) -> Iterator[tuple[Answered, dict[str, str]]]:
    """Sends an id that nobody has, then ids of others, in each argument. The answers must be alike."""
    nobodys = {name: id_.nobodys() for name, id_ in rules.ids.items()}
    if not caller.authority:
        if rules.refusals.get(caller.code) == "ok":
            return  # it would change who the caller is for all that follows
        answer = call(nobodys)
        yield answer, nobodys
        refused = rules.refusals.get(caller.code, "").partition(" ")[2] or caller.refusal
        report.expect(
            (answer.status in (401, 403, 404) or caller.code in rules.refusals)
            and (answer.code == refused or caller.kind == "key" or _is_jwt(caller)),
            f"{caller.who}: {row} answers {answer.word} instead of {refused}.",
            row,
            caller.code,
        )
        return

    def expect_word(answer: Answered, word: str) -> None:
        said = f"{caller.who}: {row} answers {answer.word} instead of {word}."
        report.expect(answer.word == word, said, row, caller.code)

    rules_of_ids = [id_.may for id_ in rules.ids.values()]
    is_capable = all(may.reach(caller.authority) is not Reach.NONE for may in rules_of_ids or [rules.may])
    if not rules.ids and not is_capable:
        answer = call({})
        yield answer, {}
        expect_word(answer, "403 forbidden")
    elif _READS.search(row) and all(id_.code is None for id_ in rules.ids.values()):
        yield call({}), {}  # everything that the caller may see
    for name, id_ in rules.ids.items():
        own = {
            other: _own(http, i, caller) or nobodys[other] for other, i in rules.ids.items() if other != name
        }
        random = call(own | {name: nobodys[name]})
        yield random, nobodys
        if is_capable and id_.code:
            expect_word(random, f"404 {id_.code}")
        for value in _foreign(http, id_, caller):
            sent = own | {name: value}
            answer = call(sent)
            yield answer, sent
            report.expect(
                _masked(answer, value) == _masked(random, nobodys[name])
                and (id_.code is None or not answer.succeeded),
                f"{caller.who}: {row} answers {answer.word} for a row of {id_.table} of others, "
                f"but {random.word} for one that nobody has.",
                row,
                caller.code,
            )


def _is_jwt(caller: Caller) -> bool:
    return caller.code in ("jF", "jX")


def _masked(answer: Answered, id_: str) -> tuple[Any, ...]:
    body = answer.body if answer.succeeded else None
    return tuple(
        str(part).replace(id_, "<id>") for part in (answer.status, answer.code, answer.message, body)
    )


def _matching(http: HttpWorld, id_: Id) -> list[Row]:
    return [
        row
        for row in http.world.rows[id_.table]
        if all(row.values[column] in allowed for column, allowed in id_.where.items())
    ]


def _own(http: HttpWorld, id_: Id, caller: Caller) -> str | None:
    rows = [row for row in _matching(http, id_) if id_.sees.reaches(caller.authority, row)]
    return quote(rows[0].values[id_.column]) if rows else None


def _foreign(http: HttpWorld, id_: Id, caller: Caller) -> list[str]:
    by_place = {
        row.scope: row.values[id_.column]
        for row in _matching(http, id_)
        if not id_.sees.reaches(caller.authority, row)
    }
    return list(by_place.values())
