"""SQL, Python and TypeScript use the same words."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from collections.abc import Iterator
from enum import StrEnum

import pytest

import api
from api import trigger_client
from api.trigger_client import RUN_PIPELINE_TASK
from local.settings import ROOT
from tests.database.migration_sources import migration_sources
from tests.support.sql_client import Client

TRIGGER = ROOT / "trigger" / "src"


@pytest.fixture
def sql_enums(postgres: Client) -> dict[str, set[str]]:
    rows = postgres.rows(
        """
        select t.typname::text as name, array_agg(e.enumlabel::text) as labels
        from pg_type t join pg_enum e on e.enumtypid = t.oid
        where t.typnamespace = 'public'::regnamespace
        group by 1
        """
    )
    return {row["name"]: set(row["labels"]) for row in rows}


def python_enums() -> Iterator[tuple[str, set[str]]]:
    """Every StrEnum of the API's modules, by its name in snake_case."""
    for module in pkgutil.walk_packages(api.__path__, "api."):
        for name, value in vars(importlib.import_module(module.name)).items():
            if inspect.isclass(value) and issubclass(value, StrEnum) and value.__module__ == module.name:
                yield re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower(), {member.value for member in value}


def typescript() -> str:
    """The sources of the tasks, without tests and generated code."""
    paths = [path for path in TRIGGER.rglob("*.ts") if not path.name.endswith((".test.ts", ".types.ts"))]
    return "\n".join(path.read_text() for path in sorted(paths))


def test_every_enum_of_sql_has_the_same_values_in_python(sql_enums: dict[str, set[str]]) -> None:
    python = list(python_enums())
    for name, labels in sql_enums.items():
        assert [values for other, values in python if other == name] == [labels], name


def test_statuses_that_the_tasks_expect_exist(sql_enums: dict[str, set[str]]) -> None:
    expected = set(re.findall(r'\bstatus: z\.literal\("(\w+)"\)', typescript()))
    assert expected
    # start_step answers further statuses.
    sql = "\n".join(migration_sources().values())
    answered = set(re.findall(r"jsonb_build_object\('status', '(\w+)'\)", sql))
    assert expected <= sql_enums["step_result_status"] | answered


def test_outcomes_of_a_claim_are_the_same_in_typescript() -> None:
    raised = set(re.findall(r"'outcome', '(\w+)'", "\n".join(migration_sources().values())))
    assert raised
    assert raised == set(re.findall(r'\boutcome: z\.literal\("(\w+)"\)', typescript()))


def test_the_codes_that_end_a_worker_are_raised_by_sql() -> None:
    (union,) = re.findall(r"^export type RunEndedCode = (.+);$", typescript(), re.MULTILINE)
    codes = set(re.findall(r'"(\w+)"', union))
    sql = "\n".join(text for name, text in migration_sources().items() if name.endswith("_worker.sql"))
    assert codes
    assert codes <= set(re.findall(r"raise_error\(409, '(\w+)'", sql))


def test_the_worker_was_built_for_the_contract_of_the_database(postgres: Client) -> None:
    (constant,) = re.findall(r"^export const workerContract = (\d+);$", typescript(), re.MULTILINE)
    assert int(constant) == postgres.value("select private.contract_version()")


def test_the_codes_of_the_contract_are_those_of_the_database() -> None:
    (union,) = re.findall(r"^export type ContractCode = (.+);$", typescript(), re.MULTILINE)
    sql = "\n".join(migration_sources().values())
    (check,) = re.findall(r"create function private.check_contract\(.+?\n\$\$;", sql, re.DOTALL)
    assert set(re.findall(r'"(\w+)"', union)) == set(re.findall(r"raise_error\(409, '(\w+)'", check))


def test_the_api_and_the_tasks_name_the_pipeline_task_and_its_tags_alike() -> None:
    tasks = {path.name: path.read_text() for path in TRIGGER.glob("tasks/*.ts")}
    defined = set(re.findall(r'\bid: "([\w-]+)"', tasks["run-pipeline.ts"]))
    tasks["starts.ts"] = (TRIGGER / "platform" / "starts.ts").read_text()
    triggered = set(re.findall(r'\.triggerTask\("([\w-]+)"', tasks["starts.ts"]))
    assert defined == triggered == {RUN_PIPELINE_TASK}
    python = inspect.getsource(trigger_client)
    prefixes = set(re.findall(r'f"([a-z_]+:)\{', python))
    assert prefixes == {"pipeline_run:", "org:"}
    for name in ("run-pipeline.ts", "starts.ts"):
        (tags,) = re.findall(r"\btags: \[(.+)\]", tasks[name])
        assert set(re.findall(r"`([a-z_]+:)\$\{", tags)) == prefixes, name
