"""Two calls at once: the second waits for the first to commit, and then sees its rows.

These tests commit in an org of their own. They wait until a call meets a lock, never for a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import uuid4

import pytest

from api.auth.api_token import generate_api_token
from tests.database.overlap import overlap
from tests.support.pipeline import (
    INLINE,
    OUTSIDE,
    Run,
    create_blueprint,
    create_run,
    publish_steps,
    records,
    submit,
)
from tests.support.sql_client import Connection, connect, owner, refused, service, signed_in, with_token
from tests.support.stack import StackEnvironment
from tests.support.tenants import Org, Token, create_org, create_token


@pytest.fixture(scope="module")
def org(supabase: StackEnvironment) -> Iterator[Org]:
    """An org that leaves no step and no unfinished run: the reconciler of a full stack would start it."""
    with connect(supabase) as connection:
        publish_steps(service(connection))
        org = create_org(connection, "concurrent")
        yield org
        postgres = owner(connection)
        postgres.change(
            "update public.pipeline_runs set status = 'cancelled' "
            "where org_id = %(id)s and finished_at is null",
            {"id": org.id},
        )
        postgres.change("delete from public.blueprint_steps where org_id = %(id)s", {"id": org.id})
        postgres.change("delete from public.steps where slug in (%(a)s, %(b)s)", {"a": INLINE, "b": OUTSIDE})


@pytest.fixture
def run(first: Connection, org: Org) -> Run:
    return create_run(service(first), org, org.first, {"slug": INLINE}, {"slug": INLINE})


def same_run(connection: Connection, run: Run) -> Run:
    """The same run and worker, through another connection."""
    return Run(service(connection), run.pipeline_run, run.submission, run.claim)


@pytest.mark.parametrize("first_fails", [False, True])
def test_the_same_key_at_once_creates_once(
    first: Connection, second: Connection, org: Org, first_fails: bool
) -> None:
    arguments = {"name": "Twice", "idempotency_key": str(uuid4()), "request_hash": "hash"}
    made, repeated = overlap(
        first,
        lambda: signed_in(first, org.admin).call("create_company", **arguments),
        second,
        lambda: signed_in(second, org.admin).call("create_company", **arguments),
        roll_back=first_fails,
    )
    assert (repeated.result() == made) is not first_fails
    count = "select count(*) from public.companies where id::text = any (%(ids)s)"
    assert owner(first).value(count, {"ids": [made["id"], repeated.result()["id"]]}) == 1


def test_one_of_two_claims_at_once_holds(first: Connection, second: Connection, run: Run) -> None:
    other = same_run(second, run)
    claimed, late = overlap(first, lambda: run.take("run_1"), second, lambda: other.take("run_2"))
    assert claimed["outcome"] == "claimed"
    assert late.result() == {"outcome": "claimed_elsewhere"}
    run.on_run("heartbeat")


def test_a_takeover_waits_for_the_write_that_came_before_it(
    first: Connection, second: Connection, run: Run
) -> None:
    run.take("run_1")
    run.start(1)
    other = same_run(second, run)
    written, taken = overlap(
        first, lambda: run.write(1, records(1, 2, 3)), second, lambda: other.take("run_1")
    )
    assert written == {"written": True}
    assert taken.result()["outcome"] == "claimed"
    assert other.start(1)["written_chunks"] == [0]
    with refused(409, "claim_lost"):
        run.on_step("finish_step", 1)


def test_a_cancel_waits_for_a_write_and_then_stops_the_worker(
    first: Connection, second: Connection, org: Org, run: Run
) -> None:
    run.take()
    run.start(1)
    member = signed_in(second, org.first.member)
    _, cancelled = overlap(
        first,
        lambda: run.write(1, records(1, 2, 3)),
        second,
        lambda: member.call("cancel_pipeline_run", pipeline_run_id=run.id),
    )
    assert cancelled.result()["status"] == "cancelled"
    assert run.statuses(member) == ("cancelled", ["cancelled", "skipped"])
    with refused(409, "pipeline_run_cancelled"):
        run.on_step("finish_step", 1)


def test_a_write_that_waits_for_a_cancel_is_refused(
    first: Connection, second: Connection, org: Org, run: Run
) -> None:
    run.take()
    run.start(1)
    member, other = signed_in(first, org.first.member), same_run(second, run)
    _, late = overlap(
        first,
        lambda: member.call("cancel_pipeline_run", pipeline_run_id=run.id),
        second,
        lambda: other.write(1, records(1, 2, 3)),
    )
    with refused(409, "pipeline_run_cancelled"):
        late.result()
    output = member.call("list_step_result_records", step_result_id=run.step_id(1))
    assert output["items"] == []


def test_the_first_of_a_finish_and_a_cancel_at_once_wins(
    first: Connection, second: Connection, org: Org, run: Run
) -> None:
    run.take()
    run.pass_through(1)
    run.pass_through(2)
    member = signed_in(second, org.first.member)
    _, late = overlap(
        first,
        lambda: run.on_run("finish_pipeline_run"),
        second,
        lambda: member.call("cancel_pipeline_run", pipeline_run_id=run.id),
    )
    with refused(409, "pipeline_run_finished"):
        late.result()
    assert run.statuses(member)[0] == "succeeded"


@pytest.mark.parametrize(
    "complete",
    [
        lambda run: run.on_step("finish_step", 2),
        lambda run: run.on_step("fail_step", 2, error={"code": "late", "message": "Too late."}),
        lambda run: run.on_run("finish_pipeline_run"),
        lambda run: run.on_run("fail_pipeline_run", error={"code": "late", "message": "Too late."}),
        lambda run: run.on_run("heartbeat"),
    ],
    ids=["finish_step", "fail_step", "finish_pipeline_run", "fail_pipeline_run", "heartbeat"],
)
def test_a_cancel_never_loses_to_a_call_that_comes_during_it(
    first: Connection, second: Connection, org: Org, run: Run, complete: Callable[[Run], Any]
) -> None:
    run.take()
    run.pass_through(1)
    run.start(2)
    run.write(2, records(1, 2, 3))
    member, other = signed_in(first, org.first.member), same_run(second, run)
    _, late = overlap(
        first,
        lambda: member.call("cancel_pipeline_run", pipeline_run_id=run.id),
        second,
        lambda: complete(other),
    )
    with refused(409, "pipeline_run_cancelled"):
        late.result()
    assert run.statuses(member) == ("cancelled", ["succeeded", "cancelled"])


def test_a_cancel_that_began_before_the_step_ends_it_no_earlier_than_it_began(
    first: Connection, second: Connection, org: Org, run: Run
) -> None:
    member, other = signed_in(first, org.first.member), same_run(second, run)
    with first.transaction():
        first.execute("select now()")  # fixes the time of the cancel
        other.take()
        other.start(1)
        member.call("cancel_pipeline_run", pipeline_run_id=run.id)
    seen = member.call("get_pipeline_run", pipeline_run_id=run.id)
    assert seen["status"] == "cancelled"
    assert seen["started_at"] <= seen["finished_at"]
    assert [step["duration_ms"] for step in seen["steps"]] == [0, None]


def test_a_claim_that_began_before_its_run_was_admitted_begins_no_earlier(
    first: Connection, second: Connection, org: Org
) -> None:
    with first.transaction():
        first.execute("select now()")
        run = create_run(service(second), org, org.first, {"slug": INLINE})
        same_run(first, run).take()
    seen = signed_in(first, org.first.member).call("get_pipeline_run", pipeline_run_id=run.id)
    assert seen["admitted_at"] <= seen["started_at"]


def test_two_runs_of_one_submission_at_once_have_different_numbers(
    first: Connection, second: Connection, org: Org, run: Run
) -> None:
    submission_id = run.submission["id"]
    made, late = overlap(
        first,
        lambda: signed_in(first, org.admin).call("create_pipeline_run", submission_id=submission_id),
        second,
        lambda: signed_in(second, org.admin).call("create_pipeline_run", submission_id=submission_id),
    )
    assert (made["run_number"], late.result()["run_number"]) == (2, 3)


@pytest.mark.parametrize("same", [True, False])
def test_the_same_chunk_of_an_upload_twice_at_once_is_written_once(
    first: Connection, second: Connection, org: Org, run: Run, same: bool
) -> None:
    upload = signed_in(first, org.first.member).call(
        "open_submission",
        company_id=org.first.id,
        blueprint_id=run.pipeline_run["blueprint_id"],
        source="csv",
    )["submission"]["id"]

    def append(connection: Connection, row: int) -> Any:  # noqa: ANN401
        return signed_in(connection, org.first.member).call(
            "append_submission_chunk", submission_id=upload, chunk_index=0, records=records(row)
        )

    _, late = overlap(first, lambda: append(first, 1), second, lambda: append(second, 1 if same else 2))
    if same:
        assert late.result() == {"chunk_index": 0}
    else:
        with refused(409, "chunk_conflict"):
            late.result()
    now = signed_in(first, org.first.member).call("get_submission", submission_id=upload)
    assert (now["chunk_count"], now["record_count"]) == (1, 1)


def test_the_second_of_two_edits_of_the_same_version_is_refused(
    first: Connection, second: Connection, org: Org
) -> None:
    blueprint = create_blueprint(signed_in(first, org.admin))

    def edit(connection: Connection, slug: str) -> Any:  # noqa: ANN401
        return signed_in(connection, org.admin).call(
            "update_blueprint", blueprint_id=blueprint["id"], steps=[{"slug": slug}], expected_version=1
        )

    edited, late = overlap(first, lambda: edit(first, INLINE), second, lambda: edit(second, INLINE))
    assert edited["version"] == 2
    with refused(409, "blueprint_version_conflict", {"version": 2}):
        late.result()


def test_each_committed_edit_is_one_version_however_many_rows_it_changes(first: Connection, org: Org) -> None:
    admin = signed_in(first, org.admin)
    blueprint = create_blueprint(admin)
    versions = [
        admin.call("update_blueprint", blueprint_id=blueprint["id"], name=f"{uuid4()}", steps=steps)[
            "version"
        ]
        for steps in ([{"slug": INLINE}] * 3, [{"slug": INLINE}] * 5)
    ]
    admin.change("delete from public.blueprint_steps where blueprint_id = %(id)s", {"id": blueprint["id"]})
    versions.append(admin.call("get_blueprint", blueprint_id=blueprint["id"])["version"])
    assert versions == [2, 3, 4]


def test_a_submission_sees_an_edit_whole_or_not_at_all(
    first: Connection, second: Connection, org: Org
) -> None:
    admin, member = signed_in(first, org.admin), signed_in(second, org.first.member)
    blueprint_id = create_blueprint(admin)["id"]
    with first.transaction():
        admin.call("update_blueprint", blueprint_id=blueprint_id, steps=[{"slug": INLINE}])
        before = submit(member, org.first.id, blueprint_id)["pipeline_run"]
    after = submit(member, org.first.id, blueprint_id)["pipeline_run"]
    assert [(run["blueprint_version"], len(run["steps"])) for run in (before, after)] == [(1, 2), (2, 1)]


def rotate(connection: Connection, token: Token) -> Any:  # noqa: ANN401 (JSON)
    generated = generate_api_token()
    arguments = {"token_hash": generated.token_hash, "prefix": generated.prefix}
    return signed_in(connection, token.user).call("rotate_api_token", api_token_id=token.id, **arguments)


def revoke(connection: Connection, token: Token) -> Any:  # noqa: ANN401 (JSON)
    return signed_in(connection, token.user).call("revoke_api_token", api_token_id=token.id)


def use(connection: Connection, token: Token) -> Any:  # noqa: ANN401 (JSON)
    return with_token(connection, token).call("auth_context")


def test_one_of_two_rotations_of_a_token_at_once_wins(
    first: Connection, second: Connection, org: Org
) -> None:
    token = create_token(first, org.admin)
    made, late = overlap(first, lambda: rotate(first, token), second, lambda: rotate(second, token))
    with refused(409, "api_token_inactive"):
        late.result()
    successors = "select array_agg(id::text) from public.api_tokens where replaces = %(id)s"
    assert owner(first).value(successors, {"id": token.id}) == [made["id"]]


def test_a_rotation_that_waited_for_one_that_failed_succeeds(
    first: Connection, second: Connection, org: Org
) -> None:
    token = create_token(first, org.admin)
    _, late = overlap(
        first, lambda: rotate(first, token), second, lambda: rotate(second, token), roll_back=True
    )
    assert late.result()["replaces"] == token.id


def test_a_rotation_that_waits_for_a_revocation_is_refused(
    first: Connection, second: Connection, org: Org
) -> None:
    token = create_token(first, org.admin)
    _, late = overlap(first, lambda: revoke(first, token), second, lambda: rotate(second, token))
    with refused(409, "api_token_inactive"):
        late.result()


@pytest.mark.parametrize("act", [use, rotate, revoke])
def test_using_a_token_does_not_wait_for_a_call_that_writes_it(
    first: Connection, second: Connection, org: Org, act: Callable[[Connection, Token], Any]
) -> None:
    token = create_token(first, org.admin)
    last_used = "select last_used_at from public.api_tokens where id = %(id)s"
    second.execute("set lock_timeout = '100ms'")
    with first.transaction(force_rollback=True):
        act(first, token)
        assert use(second, token)["user_id"] == org.admin.id
    assert owner(second).value(last_used, {"id": token.id}) is None
    use(second, token)
    assert owner(second).value(last_used, {"id": token.id})


def test_a_use_that_is_noted_already_is_not_written_by_another_connection(
    first: Connection, second: Connection, org: Org
) -> None:
    token = create_token(first, org.admin)
    version = "select xmin::text, ctid::text, last_used_at from public.api_tokens where id = %(id)s"
    use(first, token)
    before = owner(first).rows(version, {"id": token.id})
    for connection in (first, second) * 50:
        use(connection, token)
    assert owner(first).rows(version, {"id": token.id}) == before
