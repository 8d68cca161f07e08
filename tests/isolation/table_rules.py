"""Who may do what with the rows of each table. The sweeps hold the database to it; docs/auth.md prints it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.isolation.reach import NOBODY, Reach, Rule, everybody

NONE, OWN, COMPANY, COMPANY_AND_OWN, COMPANY_AND_SELF, ORG, ALL = Reach


@dataclass(frozen=True)
class TableRules:
    """`links` maps columns to other tables of the tenant. Their foreign keys carry the tenant."""

    select: Rule
    insert: Rule = NOBODY
    update: Rule = NOBODY
    delete: Rule = NOBODY
    # The column that names the row's owner, if a rule speaks of own rows.
    owner: str | None = None
    # Columns that no client can read.
    withheld: frozenset[str] = frozenset()
    links: Mapping[str, str] = field(default_factory=dict)
    # Ids without a foreign key of their own.
    unlinked: frozenset[str] = frozenset()
    # Values that make a copy a new row, so that an insert is not refused as a repetition.
    fresh: dict[str, Any] = field(default_factory=dict)


# Rows below a submission or run have their parent's company: one foreign key holds both.
OF_PARENT = frozenset({"company_id"})
OF_COMPANY = Rule(ORG, COMPANY, COMPANY)
ADMINS_OF_COMPANY = Rule(ORG, COMPANY, NONE)
ORG_ADMIN = Rule(ORG, NONE, NONE)

TABLES: Mapping[str, TableRules] = {
    "orgs": TableRules(select=everybody(ORG)),
    "companies": TableRules(select=OF_COMPANY, insert=ORG_ADMIN, fresh={"external_id": "another"}),
    "users": TableRules(
        select=Rule(ORG, COMPANY_AND_SELF, COMPANY_AND_SELF),
        update=Rule(ORG, COMPANY, NONE, only_sessions=True, not_above_own_role=True),
        owner="id",
        links={"company_id": "companies"},
        unlinked=frozenset({"identity_id"}),
        # A copy of a user is one who has left: an identity has one user.
        fresh={"identity_id": None, "left_at": "2026-01-01", "deactivated_at": "2026-01-01"},
    ),
    "invitations": TableRules(
        select=ADMINS_OF_COMPANY,
        insert=Rule(ORG, COMPANY, NONE, only_sessions=True, not_above_own_role=True, in_own_name=True),
        update=Rule(ORG, COMPANY, NONE, only_sessions=True, not_above_own_role=True),
        owner="invited_by",
        links={"company_id": "companies", "invited_by": "users", "accepted_by": "users"},
        fresh={"email": "another@example.com"},
    ),
    "api_tokens": TableRules(
        select=Rule(ORG, COMPANY_AND_OWN, OWN),
        insert=Rule(ORG, COMPANY, NONE, only_sessions=True, not_above_own_role=True, in_own_name=True),
        update=ADMINS_OF_COMPANY,
        owner="user_id",
        withheld=frozenset({"token_hash"}),
        links={"company_id": "companies", "user_id": "users", "replaces": "api_tokens"},
        fresh={"token_hash": "ab" * 32, "expires_at": None, "replaces": None},
    ),
    "secrets": TableRules(
        select=ORG_ADMIN,
        insert=ORG_ADMIN,
        update=ORG_ADMIN,
        delete=ORG_ADMIN,
        withheld=frozenset({"value"}),
        fresh={"name": "another", "value": "attacked"},
    ),
    "steps": TableRules(select=everybody(ALL)),
    "blueprints": TableRules(
        select=everybody(ORG),
        insert=ORG_ADMIN,
        update=ORG_ADMIN,
        links={"created_by": "users"},
        fresh={"name": "Another"},
    ),
    "blueprint_steps": TableRules(
        select=everybody(ORG),
        insert=ORG_ADMIN,
        delete=ORG_ADMIN,
        links={"blueprint_id": "blueprints"},
        fresh={"position": 40},
    ),
    "submissions": TableRules(
        select=OF_COMPANY,
        insert=Rule(ORG, COMPANY, COMPANY, in_own_name=True),
        update=Rule(ORG, COMPANY, OWN, only={"status": ("receiving", "received")}),
        owner="created_by",
        links={
            "company_id": "companies",
            "blueprint_id": "blueprints",
            "created_by": "users",
            "retry_of_run_id": "pipeline_runs",
        },
        # A copied link to a run would hold the row in its company, in place of the link under test.
        fresh={"retry_of_run_id": None},
    ),
    "submission_chunks": TableRules(
        select=OF_COMPANY,
        insert=OF_COMPANY,
        links={"submission_id": "submissions"},
        unlinked=OF_PARENT,
        fresh={"chunk_index": 1, "records": [{"id": "9", "data": {}}]},
    ),
    "pipeline_runs": TableRules(
        select=OF_COMPANY,
        insert=Rule(ORG, COMPANY, COMPANY, in_own_name=True),
        update=Rule(ORG, COMPANY, OWN, only={"status": ("queued", "cancelled")}),
        owner="created_by",
        withheld=frozenset(
            {"claim_id", "lost_start_count", "start_taken_at", "trace_sampled", "trigger_cancelled_at"}
        ),
        unlinked=OF_PARENT | {"claim_id"},
        links={
            "submission_id": "submissions",
            "blueprint_id": "blueprints",
            "created_by": "users",
            "retry_of": "pipeline_runs",
        },
        # A run is retried once, so a copy of a retry is not a retry.
        fresh={"retry_of": None},
    ),
    "step_results": TableRules(
        select=OF_COMPANY,
        links={
            "pipeline_run_id": "pipeline_runs",
            "input_step_result_id": "step_results",
            "reused_from": "step_results",
            "resumed_from": "step_results",
        },
        unlinked=OF_PARENT,
    ),
    "step_result_chunks": TableRules(
        select=OF_COMPANY, links={"step_result_id": "step_results"}, unlinked=OF_PARENT
    ),
    "rejected_records": TableRules(
        select=OF_COMPANY,
        insert=Rule(ORG, COMPANY, COMPANY, only={"step_result_id": (None,)}),
        links={"submission_id": "submissions", "step_result_id": "step_results"},
        unlinked=OF_PARENT,
        fresh={"record_id": "9", "chunk_index": 1},
    ),
    # Entries outlive the rows that they name.
    "audit_log": TableRules(
        select=ORG_ADMIN, unlinked=frozenset({"company_id", "actor_user_id", "actor_api_token_id"})
    ),
}

OWNER_COLUMNS = {name: rules.owner for name, rules in TABLES.items()}
