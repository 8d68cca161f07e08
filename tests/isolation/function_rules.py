"""Who may call each exposed function with which ids, and its answer for rows that the caller cannot see."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from tests.isolation.callers import Kind
from tests.isolation.reach import NOBODY, Reach, Rule, everybody
from tests.isolation.table_rules import ADMINS_OF_COMPANY, OF_COMPANY, ORG_ADMIN, TABLES

NONE, OWN, COMPANY, COMPANY_AND_OWN, _, ORG, ALL = Reach


@dataclass(frozen=True)
class Id:
    """An argument that names a row of a table.

    A caller who may see the row and make the call gets an answer. One who may only see it gets 403
    `forbidden`. To all others the row is absent: they get 404 `code`, as for an id that nobody has. An
    argument without `code` filters a list and then finds nothing.
    """

    table: str
    code: str | None
    may: Rule
    sees: Rule
    # The rows that the call is meant for, as column → values.
    where: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    column: str = "id"

    def nobodys(self) -> str:
        """A well-formed value that no row has."""
        return str(uuid4()) if self.column == "id" else f"nobodys_{uuid4().hex}"


ANYBODY = everybody(ORG)


def named(table: str, code: str, may: Rule | None = None, **where: tuple[Any, ...]) -> Id:
    sees = TABLES[table].select
    return Id(table, code, may or sees, sees, where)


def filtered(table: str, may: Rule | None = None) -> Id:
    return Id(table, None, may or TABLES[table].select, TABLES[table].select)


@dataclass(frozen=True)
class FunctionRules:
    """`may` applies to functions without ids. `arguments` are sent besides the ids."""

    ids: Mapping[str, Id] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    may: Rule = ANYBODY
    # Arguments that give a name, as argument → (table, column). Names that another org uses are free.
    names: Mapping[str, tuple[tuple[str, str], ...]] = field(default_factory=dict)
    # The answer that all callers of a kind get, or a caller by its code, whatever the id.
    fixed: Mapping[str, str] = field(default_factory=dict)
    # Answers to callers without authority that differ from their `refusal`, by caller.
    refusals: Mapping[str, str] = field(default_factory=dict)

    def fixed_answer(self, code: str, kind: Kind) -> str | None:
        return self.fixed.get(code) or self.fixed.get(kind)


CREATOR_OR_ADMIN = Rule(ORG, COMPANY, OWN)
PEOPLE = Rule(ORG, COMPANY, COMPANY, only_sessions=True)
PEOPLE_ADMIN = Rule(ORG, COMPANY, NONE, only_sessions=True)
NEW_TOKEN = {"p_token_hash": "cd" * 32, "p_prefix": "dex_Attacked"}
STEPS = [{"slug": "testing-inline", "config": {}}]
RUN = "pipeline_run_not_found"
_OPEN: dict[str, tuple[Any, ...]] = {"accepted_at": (None,), "revoked_at": (None,)}
INVITATION = named(
    "invitations",
    "invitation_not_found",
    PEOPLE_ADMIN,
    role=("member",),
    **_OPEN,
)
USER = named("users", "user_not_found", PEOPLE_ADMIN, role=("member",))

FUNCTIONS: Mapping[str, FunctionRules] = {
    "public.auth_context": FunctionRules(),
    "public.take_request_tokens": FunctionRules(arguments={"p_count": 1}),
    "public.accept_invitation": FunctionRules(
        # The identity's verified e-mail decides, not what the caller sees.
        ids={
            "p_invitation_id": Id(
                "invitations",
                "invitation_not_found",
                NOBODY,
                NOBODY,
                _OPEN | {"role": ("member", "company_admin")},
            )
        },
        fixed={"session": "409 already_registered", "token": "403 forbidden"},
        refusals={"uN": "404 invitation_not_found", "uI": "404 invitation_not_found"},
    ),
    "public.leave_org": FunctionRules(
        may=PEOPLE,
        # The last org_admin stays. A deactivated user leaves too: tests/database/test_identity_admission.py.
        fixed={"token": "403 forbidden", "OA": "409 last_org_admin", "XO": "409 last_org_admin"},
        refusals={"uD": "ok", "uS": "409 last_org_admin"},
    ),
    "public.reconciler_status": FunctionRules(),
    "public.get_company": FunctionRules(ids={"p_company_id": named("companies", "company_not_found")}),
    "public.list_companies": FunctionRules(may=OF_COMPANY),
    "public.create_company": FunctionRules(
        may=ORG_ADMIN,
        arguments={"p_name": "Attacked"},
        names={"p_name": (("companies", "name"),), "p_external_id": (("companies", "external_id"),)},
    ),
    "public.get_user": FunctionRules(ids={"p_user_id": named("users", "user_not_found")}),
    "public.list_users": FunctionRules(ids={"p_company_id": filtered("companies")}),
    "public.update_user": FunctionRules(
        ids={"p_user_id": USER, "p_company_id": named("companies", "company_not_found", PEOPLE_ADMIN)},
        arguments={"p_full_name": "Attacked"},
    ),
    "public.deactivate_user": FunctionRules(ids={"p_user_id": USER}),
    "public.reactivate_user": FunctionRules(ids={"p_user_id": USER}),
    "public.create_invitation": FunctionRules(
        ids={"p_company_id": named("companies", "company_not_found", PEOPLE_ADMIN)},
        arguments={"p_email": "attacked@example.com", "p_role": "member"},
        names={"p_email": (("users", "email"), ("invitations", "email"))},
    ),
    "public.list_invitations": FunctionRules(may=ADMINS_OF_COMPANY),
    "public.revoke_invitation": FunctionRules(ids={"p_invitation_id": INVITATION}),
    "public.resend_invitation": FunctionRules(ids={"p_invitation_id": INVITATION}),
    "public.mark_invitation_sent": FunctionRules(ids={"p_invitation_id": INVITATION}),
    "public.list_api_tokens": FunctionRules(may=Rule(ORG, COMPANY_AND_OWN, OWN)),
    "public.create_api_token": FunctionRules(
        ids={"p_company_id": named("companies", "company_not_found", PEOPLE_ADMIN)},
        arguments={"p_name": "Attacked", "p_role": "member", **NEW_TOKEN},
    ),
    "public.revoke_api_token": FunctionRules(
        ids={
            "p_api_token_id": named(
                "api_tokens", "api_token_not_found", ADMINS_OF_COMPANY, revoked_at=(None,)
            )
        }
    ),
    "public.rotate_api_token": FunctionRules(
        ids={
            "p_api_token_id": named(
                "api_tokens", "api_token_not_found", PEOPLE_ADMIN, revoked_at=(None,), expires_at=(None,)
            )
        },
        arguments=NEW_TOKEN,
    ),
    "public.set_secret": FunctionRules(
        may=ORG_ADMIN,
        arguments={"p_name": "attacked", "p_value": "attacked"},
        names={"p_name": (("secrets", "name"),)},
    ),
    "public.list_secrets": FunctionRules(may=ORG_ADMIN),
    "public.delete_secret": FunctionRules(
        ids={
            "p_name": Id(
                "secrets",
                "secret_not_found",
                ORG_ADMIN,
                ORG_ADMIN,
                {"name": ("only_of_a", "only_of_b")},
                "name",
            )
        }
    ),
    "public.list_steps": FunctionRules(may=everybody(ALL)),
    "public.get_step": FunctionRules(may=everybody(ALL), arguments={"p_slug": "testing-inline"}),
    "public.get_blueprint": FunctionRules(ids={"p_blueprint_id": named("blueprints", "blueprint_not_found")}),
    "public.list_blueprints": FunctionRules(),
    "public.create_blueprint": FunctionRules(
        may=ORG_ADMIN,
        arguments={"p_name": "Attacked", "p_steps": STEPS},
        names={"p_name": (("blueprints", "name"),)},
    ),
    "public.pin_steps": FunctionRules(
        ids={"p_blueprint_id": named("blueprints", "blueprint_not_found", ORG_ADMIN)},
        arguments={"p_slugs": ["testing-inline"], "p_versions": [None]},
    ),
    "public.update_blueprint": FunctionRules(
        ids={"p_blueprint_id": named("blueprints", "blueprint_not_found", ORG_ADMIN)},
        arguments={"p_description": "Attacked", "p_steps": STEPS},
    ),
    "public.get_submission": FunctionRules(
        ids={"p_submission_id": named("submissions", "submission_not_found")}
    ),
    "public.list_submissions": FunctionRules(ids={"p_company_id": filtered("companies")}),
    "public.create_submission": FunctionRules(
        ids={
            "p_company_id": named("companies", "company_not_found"),
            "p_blueprint_id": named("blueprints", "blueprint_not_found"),
        },
        arguments={"p_records": [{"name": "Attacked"}]},
    ),
    "public.open_submission": FunctionRules(
        ids={
            "p_company_id": named("companies", "company_not_found"),
            "p_blueprint_id": named("blueprints", "blueprint_not_found"),
        },
        arguments={"p_source": "csv"},
    ),
    "public.append_submission_chunk": FunctionRules(
        ids={
            "p_submission_id": named(
                "submissions", "submission_not_found", CREATOR_OR_ADMIN, status=("receiving",)
            )
        },
        arguments={"p_chunk_index": 1, "p_records": [{"id": "9", "data": {}}]},
    ),
    "public.finalize_submission": FunctionRules(
        ids={
            "p_submission_id": named(
                "submissions", "submission_not_found", CREATOR_OR_ADMIN, status=("receiving",)
            )
        }
    ),
    "public.list_pipeline_runs": FunctionRules(
        ids={"p_company_id": filtered("companies"), "p_submission_id": filtered("submissions")}
    ),
    "public.get_pipeline_run": FunctionRules(ids={"p_pipeline_run_id": named("pipeline_runs", RUN)}),
    "public.create_pipeline_run": FunctionRules(
        ids={
            "p_submission_id": named("submissions", "submission_not_found", OF_COMPANY, status=("received",))
        }
    ),
    "public.retry_pipeline_run": FunctionRules(
        ids={"p_pipeline_run_id": named("pipeline_runs", RUN, status=("failed",))}
    ),
    "public.retry_rejected_records": FunctionRules(
        ids={"p_pipeline_run_id": named("pipeline_runs", RUN, status=("failed",))}
    ),
    "public.mark_pipeline_run_dispatched": FunctionRules(
        # A caller who sees the run but may not change it gets the run, unchanged.
        ids={"p_pipeline_run_id": named("pipeline_runs", RUN, status=("queued",))},
        arguments={"p_trigger_run_id": "run_attacked"},
    ),
    "public.cancel_pipeline_run": FunctionRules(
        ids={"p_pipeline_run_id": named("pipeline_runs", RUN, CREATOR_OR_ADMIN, status=("queued",))}
    ),
    "public.list_pipeline_run_records": FunctionRules(
        ids={"p_pipeline_run_id": named("pipeline_runs", RUN)}, arguments={"p_kind": "input"}
    ),
    "public.list_pipeline_run_fields": FunctionRules(ids={"p_pipeline_run_id": named("pipeline_runs", RUN)}),
    "public.list_step_results": FunctionRules(ids={"p_pipeline_run_id": named("pipeline_runs", RUN)}),
    "public.get_step_result": FunctionRules(
        ids={"p_step_result_id": named("step_results", "step_result_not_found")}
    ),
    "public.list_step_result_records": FunctionRules(
        ids={"p_step_result_id": named("step_results", "step_result_not_found")},
        arguments={"p_kind": "rejected"},
    ),
    "public.list_audit_log": FunctionRules(ids={"p_actor_user_id": filtered("users", ORG_ADMIN)}),
}

NOT_A_CLAIM = "00000000-0000-4000-8000-000000000000"
ERROR = {"code": "attacked", "message": "Attacked."}


@dataclass(frozen=True)
class WorkerRules:
    """A function of the tasks: its answers to the service credential. It refuses every other caller.

    `unclaimed` is the answer for a run or step without the claim on it. `missing` is the answer for a run or
    step that does not exist.
    """

    missing: str
    unclaimed: str = "409 claim_lost"
    id: str | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)


def _of_run(**arguments: Any) -> WorkerRules:  # noqa: ANN401 (JSON)
    return WorkerRules("404 pipeline_run_not_found", id="p_pipeline_run_id", arguments=arguments)


def _of_step(**arguments: Any) -> WorkerRules:  # noqa: ANN401 (JSON)
    return WorkerRules("404 step_result_not_found", id="p_step_result_id", arguments=arguments)


WORKER_FUNCTIONS: Mapping[str, WorkerRules] = {
    "worker.claim_pipeline_run": WorkerRules(
        "404 pipeline_run_not_found", "ok", "p_pipeline_run_id", {"p_trigger_run_id": "run_attacked"}
    ),
    "worker.heartbeat": _of_run(p_claim_id=NOT_A_CLAIM),
    "worker.finish_pipeline_run": _of_run(p_claim_id=NOT_A_CLAIM),
    "worker.fail_pipeline_run": _of_run(p_claim_id=NOT_A_CLAIM, p_error=ERROR),
    "worker.start_step": _of_step(p_claim_id=NOT_A_CLAIM),
    "worker.skip_step": _of_step(p_claim_id=NOT_A_CLAIM),
    "worker.read_condition_input": WorkerRules("404 step_result_not_found", "ok", "p_step_result_id"),
    "worker.end_step": _of_step(p_claim_id=NOT_A_CLAIM),
    "worker.finish_step": _of_step(p_claim_id=NOT_A_CLAIM),
    "worker.fail_step": _of_step(p_claim_id=NOT_A_CLAIM, p_error=ERROR),
    "worker.write_chunk": _of_step(p_claim_id=NOT_A_CLAIM, p_chunk_index=0, p_records=[]),
    # Reading takes no claim.
    "worker.read_chunk": WorkerRules("404 chunk_not_found", "ok", "p_step_result_id", {"p_chunk_index": 0}),
    "worker.read_secret": WorkerRules(
        "404 secret_not_found", "404 secret_not_found", "p_step_result_id", {"p_name": "signing"}
    ),
    "worker.mark_pipeline_run_dispatched": WorkerRules(
        "ok", "ok", "p_pipeline_run_id", {"p_trigger_run_id": "run_attacked"}
    ),
    "worker.reconcile_pipeline_runs": WorkerRules("ok", "ok"),
    "worker.take_starts": WorkerRules("ok", "ok"),
    # Null for a run that does not exist or is not in the state that the caller reports.
    "worker.replace_start": WorkerRules(
        "ok", "ok", "p_pipeline_run_id", {"p_idempotency_key": "run_attacked"}
    ),
    "worker.repair_pipeline_run": WorkerRules(
        "ok", "ok", "p_pipeline_run_id", {"p_trigger_run_id": "run_attacked", "p_finding": "ended"}
    ),
    "worker.step_progress": WorkerRules("ok", "ok", "p_step_result_id"),
    "worker.contract": WorkerRules("ok", "ok"),
    "worker.publish_steps": WorkerRules("ok", "ok", arguments={"p_steps": []}),
}
