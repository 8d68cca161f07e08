"""Runs from dispatch to export; the tests act as the worker."""

from __future__ import annotations

import csv
import io
import json

import pytest

from tests.api.caller import Caller, Json
from tests.api.worker import Worker
from tests.support.loopback import Answer, Loopback
from tests.support.tenants import Org


@pytest.fixture
def created(org: Org, admin: Caller, member: Caller) -> Json:
    """A submission of three records with a queued run of two steps."""
    return member.submit(org.first.id, admin.blueprint(2))


@pytest.fixture
def run(created: Json) -> Json:
    found: Json = created["pipeline_run"]
    return found


def export(caller: Caller, run_id: str, export_format: str) -> str:
    answer = caller.post("pipeline-runs/export", {"pipeline_run_id": run_id, "format": export_format})
    assert answer.is_success, answer.text
    return answer.text


def test_a_run_is_followed_to_its_end(member: Caller, worker: Worker, run: Json) -> None:
    assert [step["status"] for step in run["steps"]] == ["pending", "pending"]
    worker.finish(run["id"])
    found = member.data("pipeline-runs/get", {"pipeline_run_id": run["id"]})
    assert found["status"] == "succeeded"
    assert [step["status"] for step in found["steps"]] == ["succeeded", "succeeded"]
    assert [step["slug"] for step in found["blueprint_snapshot"]["steps"]] == ["testing-probe"] * 2
    (listed,) = member.data("pipeline-runs/list", {"status": "succeeded"})
    assert listed["id"] == run["id"]
    assert "steps" not in listed


def test_a_run_whose_output_is_empty_says_so(org: Org, admin: Caller, member: Caller, worker: Worker) -> None:
    run = member.submit(org.first.id, admin.blueprint(2), count=1)["pipeline_run"]
    assert run["warnings"] == []
    worker.finish(run["id"], drop="1")
    found = member.data("pipeline-runs/get", {"pipeline_run_id": run["id"]})
    (listed,) = member.data("pipeline-runs/list", {"status": "succeeded"})
    assert found["warnings"] == listed["warnings"]
    (warning,) = found["warnings"]
    assert (warning["code"], warning["position"]) == ("empty_output", None)
    assert warning["details"] == {"record_count": 1, "records_rejected": 0, "records_dropped": 1}


def test_a_failed_run_says_why(member: Caller, worker: Worker, run: Json) -> None:
    worker.fail(run["id"])
    found = member.data("pipeline-runs/get", {"pipeline_run_id": run["id"]})
    assert (found["status"], found["error"]["code"]) == ("failed", "broken")
    assert [step["status"] for step in found["steps"]] == ["skipped", "skipped"]


def test_another_run_of_the_submission_has_the_next_number(
    member: Caller, worker: Worker, created: Json, trigger: Loopback
) -> None:
    worker.finish(created["pipeline_run"]["id"])
    submission_id = created["submission"]["id"]
    answer = member.post("pipeline-runs/create", {"submission_id": submission_id})
    assert answer.status_code == 202
    again = answer.json()["data"]
    assert (again["pipeline_run"]["run_number"], again["dispatched"]) == (2, True)
    runs = member.data("pipeline-runs/list", {"submission_id": submission_id})
    assert {found["run_number"] for found in runs} == {1, 2}


def test_cancelling_tells_trigger_and_can_be_repeated(member: Caller, run: Json, trigger: Loopback) -> None:
    tags = [f"pipeline_run:{run['id']}"]
    trigger.routes["/api/v3/runs/run_abc123"] = lambda _: Answer(200, {"id": "run_abc123", "tags": tags})
    trigger.routes["/api/v2/runs/run_abc123/cancel"] = lambda _: Answer(200, {"id": "run_abc123"})
    cancelled = member.data("pipeline-runs/cancel", {"pipeline_run_id": run["id"]})
    assert cancelled["status"] == "cancelled"
    assert {step["status"] for step in cancelled["steps"]} == {"skipped"}
    assert [request.path for request in trigger.requests][-1] == "/api/v2/runs/run_abc123/cancel"
    again = member.data("pipeline-runs/cancel", {"pipeline_run_id": run["id"]})
    assert again["finished_at"] == cancelled["finished_at"]


def test_cancelling_without_trigger_cancels_too(member: Caller, run: Json, trigger: Loopback) -> None:
    trigger.fallback = lambda _: Answer(500, b"")
    assert member.data("pipeline-runs/cancel", {"pipeline_run_id": run["id"]})["status"] == "cancelled"


def test_a_finished_run_cannot_be_cancelled(member: Caller, worker: Worker, run: Json) -> None:
    worker.finish(run["id"])
    refused = member.refusal("pipeline-runs/cancel", {"pipeline_run_id": run["id"]})
    assert refused == (409, "pipeline_run_finished")


# Records and exports -----------------------------------------------------------------------------------


def test_every_record_is_accounted_for(member: Caller, worker: Worker, run: Json) -> None:
    worker.finish(run["id"], reject="2", drop="3")

    def records(kind: str) -> list[Json]:
        found: list[Json] = member.data("pipeline-runs/records", {"pipeline_run_id": run["id"], "kind": kind})
        return found

    assert records("output") == [{"id": "1", "data": {"name": "Company 1", "n": 1}}]
    for kind, record_id in (("rejected", "2"), ("dropped", "3")):
        (verdict,) = records(kind)
        assert verdict["id"] == record_id
        assert (verdict["reason"], verdict["position"], verdict["slug"]) == ("not_wanted", 1, "testing-probe")
        assert verdict["data"] == {"name": f"Company {record_id}", "n": int(record_id)}
    assert [record["id"] for record in records("input")] == ["1", "2", "3"]


def test_output_and_export_need_a_succeeded_run(member: Caller, run: Json) -> None:
    body = {"pipeline_run_id": run["id"]}
    assert member.refusal("pipeline-runs/records", body) == (409, "pipeline_run_not_succeeded")
    for export_format in ("csv", "ndjson"):
        refused = member.refusal("pipeline-runs/export", body | {"format": export_format})
        assert refused == (409, "pipeline_run_not_succeeded")


def test_step_results_are_listed_found_and_read(member: Caller, worker: Worker, run: Json) -> None:
    worker.finish(run["id"], reject="2")
    first, second = member.data("step-results/list", {"pipeline_run_id": run["id"]})
    assert member.data("step-results/get", {"step_result_id": first["id"]}) == first
    assert (first["records_in"], first["records_out"], first["records_rejected"]) == (3, 2, 1)
    assert (second["records_in"], second["records_out"]) == (2, 2)

    def ids(step: Json, kind: str) -> list[str]:
        body = {"step_result_id": step["id"], "kind": kind}
        return [record["id"] for record in member.data("step-results/records", body)]

    assert ids(first, "input") == ["1", "2", "3"]
    assert ids(first, "output") == ids(second, "input") == ["1", "3"]
    assert ids(first, "rejected") == ["2"]
    assert ids(first, "dropped") == []


def test_exports_have_every_record_over_all_pages(
    org: Org, admin: Caller, member: Caller, worker: Worker
) -> None:
    run_id = member.submit(org.first.id, admin.blueprint(), 2_300)["pipeline_run"]["id"]
    worker.finish(run_id)
    rows = list(csv.reader(io.StringIO(export(member, run_id, "csv"), newline="")))
    assert rows[0] == ["record_id", "name", "n"]
    assert rows[1:] == [[str(n), f"Company {n}", str(n)] for n in range(1, 2_301)]
    lines = [json.loads(line) for line in export(member, run_id, "ndjson").splitlines()]
    assert lines == [{"id": str(n), "data": {"name": f"Company {n}", "n": n}} for n in range(1, 2_301)]


def test_export_writes_nested_and_missing_values(
    org: Org, admin: Caller, member: Caller, worker: Worker
) -> None:
    records = [{"z": {"deep": ["ü"]}, "a": None}, {"b": True, "a": 'say "hi",\nbye'}]
    body = {"company_id": org.first.id, "blueprint_id": admin.blueprint(), "records": records}
    run_id = member.data("submissions/create", body)["pipeline_run"]["id"]
    worker.finish(run_id)
    rows = list(csv.reader(io.StringIO(export(member, run_id, "csv"), newline="")))
    assert rows == [
        ["record_id", "z", "a", "b"],
        ["1", '{"deep":["ü"]}', "", ""],
        ["2", "", 'say "hi",\nbye', "true"],
    ]


def test_pages_of_records_go_on_where_the_page_before_ended(
    org: Org, admin: Caller, member: Caller, worker: Worker
) -> None:
    run_id = member.submit(org.first.id, admin.blueprint(), 25)["pipeline_run"]["id"]
    worker.finish(run_id)
    pages = member.pages("pipeline-runs/records", {"pipeline_run_id": run_id, "limit": 10})
    assert [len(page) for page in pages] == [10, 10, 5]
    assert [record["id"] for page in pages for record in page] == [str(n) for n in range(1, 26)]
