"""docs/operators.md shows the answers of Postgres: a test makes every call on the page, in one transaction.

OPERATORS_PAGE=write writes the answers into the page instead of comparing them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from local.settings import ROOT
from tests.database.operators_page import PAGE, examples, masked, run, with_outputs
from tests.support.pipeline import Run, create_blueprint
from tests.support.sql_client import Client, Connection, owner, signed_in
from tests.support.tenants import User, create_identity

DEPLOYMENT = ROOT / "docs" / "deploy.md"
ADA = "b7c1f0de-0000-4e5a-9d3b-6f2a8c4e1000"
NEVER_DISPATCHED = "b7c1f0de-0001-4e5a-9d3b-6f2a8c4e1001"
NOT_CLAIMED = "b7c1f0de-0002-4e5a-9d3b-6f2a8c4e1002"
LOST = "b7c1f0de-0003-4e5a-9d3b-6f2a8c4e1003"
FAILED = "b7c1f0de-0004-4e5a-9d3b-6f2a8c4e1004"
SUCCEEDED = "b7c1f0de-0005-4e5a-9d3b-6f2a8c4e1005"
STEPS = ("normalize-company", "deliver-webhook")


@dataclass(frozen=True)
class Scene:
    """The events at Acme that the sections of the page build on."""

    connection: Connection
    worker: Client

    @property
    def postgres(self) -> Client:
        return owner(self.connection)

    @property
    def ada(self) -> Client:
        org_id = self.postgres.value("select id from public.orgs where slug = 'acme'")
        return signed_in(self.connection, User(ADA, str(org_id), None, "org_admin", "ada@acme.example"))

    def sign_up(self) -> None:
        self.postgres.change(
            "insert into auth.users (id, email, email_confirmed_at) "
            "values (%(id)s, 'ada@acme.example', now())",
            {"id": ADA},
        )
        self.ada.call("accept_invitation")

    def use_a_token_and_sign_up_uninvited(self) -> None:
        """Ada makes a token that is used; Eve signs up without an invitation."""
        self.ada.call("create_api_token", name="CRM sync", token_hash="7" * 64, prefix="dex_Kq7vR2mX")
        self.set_times("api_tokens", "prefix = 'dex_Kq7vR2mX'", last_used_at="2 hours")
        self.postgres.change(
            "insert into auth.users (id, email) values (gen_random_uuid(), 'eve@acme.example')"
        )

    def have_runs(self) -> None:
        for slug in STEPS:
            self.postgres.change(
                """
                insert into public.steps (slug, version, title, description, execution_mode, task_id,
                    config_schema, input_schema, output_schema)
                values (%(slug)s, '1.0.0', %(slug)s, '', 'inline', 'run-pipeline', '{}', '{}', '{}')
                on conflict do nothing
                """,
                {"slug": slug},
            )
        create_blueprint(
            self.ada, *({"slug": slug, "version": "1.0.0"} for slug in STEPS), name="Clean and deliver"
        )

        self.make_run(NEVER_DISPATCHED, created_at="34 minutes")
        self.mark_dispatched(self.make_run(NOT_CLAIMED, created_at="21 minutes"))
        self.set_times("pipeline_runs", f"id = '{NOT_CLAIMED}'", dispatched_at="20 minutes")

        self.make_run(LOST, created_at="18 minutes").take("run_lost")
        self.set_times(
            "pipeline_runs",
            f"id = '{LOST}'",
            dispatched_at="17 minutes",
            started_at="17 minutes",
            lease_expires_at="12 minutes",
        )
        self.have_a_failed_run()
        self.make_run(SUCCEEDED).succeed()

    def have_a_failed_run(self) -> None:
        failed = self.make_run(FAILED, created_at="600 seconds")
        failed.take("run_failed")
        failed.pass_through(1)
        failed.start(2)
        failed.start(2)
        error = {"code": "webhook_rejected", "message": "https://crm.acme.example answered 410."}
        failed.on_step("fail_step", 2, error=error)
        of_run = f"pipeline_run_id = '{FAILED}' and position"
        self.set_times("step_results", f"{of_run} = 1", started_at="597 seconds", finished_at="595 seconds")
        self.set_times("step_results", f"{of_run} = 2", started_at="595 seconds", finished_at="580 seconds")
        self.set_times(
            "pipeline_runs",
            f"id = '{FAILED}'",
            dispatched_at="599 seconds",
            started_at="597 seconds",
            finished_at="580 seconds",
        )

    def count_runs_this_month(self) -> None:
        """Moves the runs into this month. In its first half hour, some would count for the last month."""
        for run_id in (NEVER_DISPATCHED, NOT_CLAIMED, LOST, FAILED):
            self.set_times("pipeline_runs", f"id = '{run_id}'", created_at="0 seconds")

    def have_old_data(self) -> None:
        made = "md5('{}')::uuid"
        for number in range(1, 5):
            run = self.make_run(self.postgres.value(f"select {made.format(number)}::text"))
            if number < 4:
                run.succeed()
            self.connection.execute("alter table public.submissions disable trigger user")
            self.postgres.change(
                "update public.submissions set created_at = make_date(2025, %(month)s, 3) where id = %(id)s",
                {"month": number, "id": run.submission["id"]},
            )
            self.connection.execute("alter table public.submissions enable trigger user")

    def make_run(self, run_id: str, **ago: str) -> Run:
        """A queued run of a submission of 40 records, with an id that the page can name."""
        submission_id = self.postgres.value(
            """
            insert into public.submissions (org_id, company_id, blueprint_id, source, created_by)
            select c.org_id, c.id, b.id, 'json', %(ada)s
            from public.companies c join public.blueprints b on b.org_id = c.org_id
            where c.external_id = 'north' and b.created_by = %(ada)s
            returning id
            """,
            {"ada": ADA},
        )
        for statement in (
            """
            insert into public.submission_chunks (submission_id, chunk_index, records)
            select %(id)s, 0, jsonb_agg(
                jsonb_build_object('id', n::text, 'data', jsonb_build_object('name', 'Firm ' || n))
            )
            from generate_series(1, 40) n
            """,
            "update public.submissions set status = 'received' where id = %(id)s",
            """
            insert into public.pipeline_runs (id, submission_id, created_by)
            values (%(run_id)s, %(id)s, %(ada)s)
            """,
        ):
            self.postgres.change(statement, {"id": submission_id, "run_id": run_id, "ada": ADA})
        if "created_at" in ago:
            ago |= {"admitted_at": ago["created_at"]}
        if ago:
            self.set_times("pipeline_runs", f"id = '{run_id}'", **ago)
        shown = self.ada.call("get_pipeline_run", pipeline_run_id=run_id)
        return Run(self.worker, shown, self.ada.call("get_submission", submission_id=submission_id))

    def mark_dispatched(self, run: Run) -> None:
        self.worker.call(
            "worker.mark_pipeline_run_dispatched", pipeline_run_id=run.id, trigger_run_id="run_waiting"
        )

    def set_times(self, table: str, where: str, **ago: str) -> None:
        """Sets times to an interval ago. The guards are off: they accept no time but now."""
        self.connection.execute(f"alter table public.{table} disable trigger user".encode())
        changes = ", ".join(f"{column} = now() - interval '{interval}'" for column, interval in ago.items())
        assert self.postgres.change(f"update public.{table} set {changes} where {where}") == 1
        self.connection.execute(f"alter table public.{table} enable trigger user".encode())


# Section → the events before its first example.
ARRANGEMENTS: dict[str, Callable[[Scene], None]] = {
    "See an org": Scene.sign_up,
    "Find a person or an API token": Scene.use_a_token_and_sign_up_uninvited,
    "See what is stuck": Scene.have_runs,
    "What an org has used": Scene.count_runs_this_month,
    "Delete an org's old data": Scene.have_old_data,
}


@pytest.fixture
def outputs(connection: Connection, worker: Client) -> list[str]:
    """The answer of Postgres to each example of the page."""
    connection.execute("set local timezone = 'UTC'")
    scene, seen, answers = Scene(connection, worker), set[str](), list[str]()
    for example in examples(PAGE.read_text()):
        if example.section not in seen and example.section in ARRANGEMENTS:
            ARRANGEMENTS[example.section](scene)
        seen.add(example.section)
        answers.append(run(connection, example.statement))
    assert set(ARRANGEMENTS) <= seen
    return answers


def test_the_page_shows_the_answer_of_each_call(outputs: list[str]) -> None:
    page = PAGE.read_text()
    if os.environ.get("OPERATORS_PAGE") == "write":
        PAGE.write_text(with_outputs(page, outputs))
        return
    arranged = {ADA, NEVER_DISPATCHED, NOT_CLAIMED, LOST, FAILED, SUCCEEDED}
    shown = list(examples(page))
    assert len(shown) >= 20
    for example, output in zip(shown, outputs, strict=True):
        assert masked(example.output, arranged) == masked(output, arranged), example.statement


def test_the_page_calls_every_function_and_names_every_view(postgres: Client) -> None:
    page = PAGE.read_text()
    called = set(re.findall(r"\bops\.(\w+)\(", "".join(example.statement for example in examples(page))))
    functions = names(
        postgres, "select proname as name from pg_proc where pronamespace = 'ops'::regnamespace"
    )
    views = names(
        postgres,
        "select relname as name from pg_class where relnamespace = 'ops'::regnamespace and relkind = 'v'",
    )
    assert called == functions
    assert set(re.findall(r"\bops\.(\w+)", page)) == functions | views


def test_the_first_org_of_the_deployment_page_lets_its_admin_in(
    connection: Connection, postgres: Client
) -> None:
    (statement,) = re.findall(r"^ +```sql\n(.+?)^ +```", DEPLOYMENT.read_text(), re.MULTILINE | re.DOTALL)
    postgres.rows(statement)
    admin = create_identity(connection, "", email="admin@acme.example")
    assert signed_in(connection, admin).call("accept_invitation")["role"] == "org_admin"


def names(postgres: Client, statement: str, parameters: dict[str, Any] | None = None) -> set[str]:
    return {row["name"] for row in postgres.rows(statement, parameters)}
