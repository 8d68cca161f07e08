"""Results kept for idempotency keys: no caller gets or overwrites one of another org, another user or
another credential of the same user."""

from __future__ import annotations

from uuid import uuid4

from tests.isolation.findings import Report
from tests.isolation.world import World
from tests.support.sql_client import owner

_PLANT = """
insert into private.idempotency_keys (org_id, holder_id, operation, key, request_hash, result)
values (%(org)s, %(holder)s, 'create_company', %(key)s, 'hash', %(result)s)
"""
_RECALL = "select private.recall_result('create_company', %(key)s, 'hash')"
_REMEMBER = """select private.remember_result('create_company', %(key)s, '{"own": true}')"""
_KEPT = (
    "select result from private.idempotency_keys "
    "where key = %(key)s and org_id = %(org)s and holder_id = %(holder)s"
)


def sweep(world: World) -> Report:
    report = Report()
    postgres = owner(world.connection)
    for caller in world.callers:
        authority = caller.authority
        if authority is None:
            continue
        foreign = next(org for org in world.tenants if org.id != authority.org_id)
        neighbour = next(
            user
            for org in world.tenants
            for user in org.users
            if user.org_id == authority.org_id and user.id != authority.user_id
        )
        holder_id = caller.token.id if caller.token else authority.user_id
        # For a token, the sessions of its creator; for a session, a token that nobody else has.
        sibling_id = authority.user_id if caller.token else str(uuid4())
        for org_id, planted_for, whose in (
            (foreign.id, holder_id, "the same credential in another org"),
            (authority.org_id, neighbour.id, "another user of the org"),
            (authority.org_id, sibling_id, "another credential of the user"),
            (foreign.id, foreign.admin.id, "another org"),
        ):
            for result in ('{"planted": true}', None):
                with world.connection.transaction(force_rollback=True):
                    planted = {"org": org_id, "holder": planted_for, "key": str(uuid4())}
                    postgres.change(_PLANT, planted | {"result": result})
                    recalled = caller.client.value(_RECALL, planted)
                    caller.client.value(_REMEMBER, planted)
                    repeated = caller.client.value(_RECALL, planted)
                    kept = postgres.value(_KEPT, planted)
                is_own = recalled is None and repeated == {"own": True}
                report.expect(is_own, f"{caller.who} gets the result that was kept for {whose}.")
                expected = None if result is None else {"planted": True}
                report.expect(
                    kept == expected, f"{caller.who} overwrites the result that was kept for {whose}."
                )
    return report
