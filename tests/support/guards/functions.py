"""Functions: search path, what they raise, and how a definer reads the caller."""

from __future__ import annotations

import re

from tests.support.guards.catalogue import FUNCTIONS, sentences
from tests.support.sql_client import Connection, owner


def functions_pin_an_empty_search_path(connection: Connection) -> list[str]:
    return sentences(
        connection,
        f"""
        with functions as ({FUNCTIONS})
        select name from functions
        where not coalesce('search_path=""' = any (proconfig), false)
        order by 1
        """,
        "{name} does not set search_path = ''",
    )


def functions_tell_what_they_raise(connection: Connection) -> list[str]:
    """The comment of a function names every code that its body raises."""
    statement = f"""
        with functions as ({FUNCTIONS})
        select name, prosrc as body, coalesce(obj_description(oid, 'pg_proc'), '') as comment
        from functions order by 1
    """
    return [
        f"{row['name']} raises {code}, which its comment does not say"
        for row in owner(connection).rows(statement)
        for code in sorted(set(re.findall(r"raise_error\(\s*\d+,\s*'(\w+)'", row["body"])))
        if code not in re.findall(r"\w+", row["comment"])
    ]


def definers_ask_for_the_org(connection: Connection) -> list[str]:
    """Definer functions bypass the policies: one that compares with the caller's user names the org too."""
    findings = []
    statement = f"""
        with functions as ({FUNCTIONS})
        select name, body from functions f join pg_proc p using (oid), lateral (select p.prosrc as body) b
        where p.prosecdef order by 1
    """
    for row in owner(connection).rows(statement):
        for part in row["body"].split(";"):
            if re.search(r"= v_caller\.user_id", part) and not re.search(r"org_id = v_caller\.org_id", part):
                findings.append(f"{row['name']} finds rows by the caller's user without its org")
    return findings


def settings_are_named_and_the_callers_is_kept_apart(connection: Connection) -> list[str]:
    """Functions name the settings that they set: a client who could set `private.caller` could be anybody."""
    statement = f"""
        with functions as ({FUNCTIONS})
        select name, prosrc as body from functions where prosrc ~ '\\mset_config\\M' order by 1
    """
    findings = []
    for row in owner(connection).rows(statement):
        named = re.findall(r"\bset_config\('(private\.\w+)'", row["body"])
        if len(named) < len(re.findall(r"\bset_config\b", row["body"])):
            findings.append(f"{row['name']} sets a setting that it does not name")
        if row["name"] != "private.resolve_caller()" and any(
            name.startswith("private.caller") for name in named
        ):
            findings.append(f"{row['name']} sets who is calling")
    return findings
