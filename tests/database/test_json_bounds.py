"""What clients and steps may write is bounded where it is stored."""

from __future__ import annotations

import pytest
from psycopg import errors

from tests.support.pipeline import create_run, records
from tests.support.sql_client import Client, Connection, signed_in
from tests.support.tenants import Tenants


@pytest.mark.parametrize("name", [" " * 200 + "x", "x" + " " * 200])
def test_spaces_count_in_a_name(connection: Connection, tenants: Tenants, name: str) -> None:
    with pytest.raises(errors.CheckViolation):
        signed_in(connection, tenants.org.admin).change(
            "insert into public.companies (name) values (%(name)s)", {"name": name}
        )


def test_long_details_of_a_step_are_shortened(
    connection: Connection, worker: Client, tenants: Tenants
) -> None:
    run = create_run(worker, tenants.org, tenants.org.first)
    run.take()
    run.start(1)
    details = {"field": "name", "errors": ["x" * 100] * 100}
    rejected = [{"id": "2", "reason": "bad", "message": "Bad.", "details": details}]
    run.write(1, records(1, 3), rejected=rejected)
    listed = signed_in(connection, tenants.org.admin).call(
        "list_step_result_records", step_result_id=run.step_id(1), kind="rejected"
    )
    assert listed["items"][0]["details"] == {"field": "name", "truncated": True}
