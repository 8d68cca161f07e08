"""Requests to every endpoint of the API, by every caller, with ids of others."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fastapi.routing import APIRoute

from api.main import ROUTERS
from tests.isolation.callers import Caller
from tests.isolation.data_api_requests import ask_for_others, symbol
from tests.isolation.findings import DEVIATION, Report
from tests.isolation.function_calls import hidden_from, words_of
from tests.isolation.function_rules import FUNCTIONS, STEPS
from tests.isolation.over_http import Answered, HttpWorld

# Endpoint → the function that it calls, and its body without ids.
ENDPOINTS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "/v1/auth/context": ("auth_context", {}),
    "/v1/companies/create": ("create_company", {"name": "Attacked"}),
    "/v1/companies/list": ("list_companies", {}),
    "/v1/companies/get": ("get_company", {}),
    "/v1/users/list": ("list_users", {}),
    "/v1/users/get": ("get_user", {}),
    "/v1/users/update": ("update_user", {"full_name": "Attacked"}),
    "/v1/users/deactivate": ("deactivate_user", {}),
    "/v1/users/reactivate": ("reactivate_user", {}),
    "/v1/users/leave": ("leave_org", {}),
    "/v1/invitations/create": ("create_invitation", {"email": "attacked@example.com", "role": "member"}),
    "/v1/invitations/list": ("list_invitations", {}),
    "/v1/invitations/revoke": ("revoke_invitation", {}),
    "/v1/invitations/resend": ("resend_invitation", {}),
    "/v1/invitations/accept": ("accept_invitation", {}),
    "/v1/api-tokens/create": ("create_api_token", {"name": "Attacked", "role": "member"}),
    "/v1/api-tokens/list": ("list_api_tokens", {}),
    "/v1/api-tokens/revoke": ("revoke_api_token", {}),
    "/v1/api-tokens/rotate": ("rotate_api_token", {}),
    "/v1/secrets/set": ("set_secret", {"name": "attacked", "value": "attacked"}),
    "/v1/secrets/list": ("list_secrets", {}),
    "/v1/secrets/delete": ("delete_secret", {}),
    "/v1/steps/list": ("list_steps", {}),
    "/v1/steps/get": ("get_step", {"slug": "testing-inline"}),
    "/v1/blueprints/create": ("create_blueprint", {"name": "Attacked", "steps": STEPS}),
    "/v1/blueprints/list": ("list_blueprints", {}),
    "/v1/blueprints/get": ("get_blueprint", {}),
    "/v1/blueprints/update": ("update_blueprint", {"description": "Attacked", "steps": STEPS}),
    "/v1/submissions/create": ("create_submission", {"records": [{"name": "Attacked"}]}),
    "/v1/submissions/upload": ("open_submission", {}),
    "/v1/submissions/list": ("list_submissions", {}),
    "/v1/submissions/get": ("get_submission", {}),
    "/v1/pipeline-runs/create": ("create_pipeline_run", {}),
    "/v1/pipeline-runs/list": ("list_pipeline_runs", {}),
    "/v1/pipeline-runs/get": ("get_pipeline_run", {}),
    "/v1/pipeline-runs/cancel": ("cancel_pipeline_run", {}),
    "/v1/pipeline-runs/retry": ("retry_pipeline_run", {}),
    "/v1/pipeline-runs/retry-rejected": ("retry_rejected_records", {}),
    "/v1/pipeline-runs/records": ("list_pipeline_run_records", {"kind": "input"}),
    "/v1/pipeline-runs/export": ("list_pipeline_run_records", {"format": "ndjson"}),
    "/v1/step-results/list": ("list_step_results", {}),
    "/v1/step-results/get": ("get_step_result", {}),
    "/v1/step-results/records": ("list_step_result_records", {"kind": "rejected"}),
    "/v1/audit/list": ("list_audit_log", {}),
}
_CODE_OF_NO_CREDENTIAL = {"an": "missing_credential", "sr": "invalid_token"}


def endpoints() -> list[str]:
    return [route.path for module in ROUTERS for route in module.router.routes if isinstance(route, APIRoute)]


def sweep(http: HttpWorld) -> Report:
    report = Report()
    for path in endpoints():
        if path not in ENDPOINTS:
            report.expect(False, f"{path} has no expectation: say in endpoint_requests.py what it calls.")
            for caller in http.callers:
                report.mark(path, caller.code, DEVIATION)
            continue
        for caller in http.callers:
            _sweep_endpoint(http, path, caller, report)
    for path in sorted(set(ENDPOINTS) - set(endpoints())):
        report.expect(False, f"endpoint_requests.py lists {path}, which does not exist: remove it.")
    return report


def _sweep_endpoint(http: HttpWorld, path: str, caller: Caller, report: Report) -> None:
    function, body = ENDPOINTS[path]
    rules = FUNCTIONS[f"public.{function}"]

    def call(ids: dict[str, str]) -> Answered:
        return http.ask_api(caller, path, body | {name.removeprefix("p_"): id_ for name, id_ in ids.items()})

    for answer, sent in ask_for_others(http, rules, caller, path, call, report):
        stray = (hidden_from(http.world, caller) & words_of(answer.body)) - words_of(sent)
        report.expect(not stray, f"{caller.who}: {path} shows what belongs to others.", path, caller.code)
        expected = _CODE_OF_NO_CREDENTIAL.get(caller.code) or (
            caller.refusal if caller.code in ("jF", "jX") else None
        )
        report.expect(
            expected is None or answer.code == expected,
            f"{caller.who}: {path} answers {answer.word} instead of {expected}.",
            path,
            caller.code,
        )
    if caller.authority:
        http.expect_others_unchanged(caller, path, report)
    report.mark(path, caller.code, symbol(rules, caller))
