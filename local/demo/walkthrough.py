"""The demo's actions, each by the kind of user who takes it: operator, frontend, server integration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from local.demo.api_client import Api, ApiError
from local.demo.demo_org import SeededOrg, seed, sign_in
from local.demo.models import ApiToken, AuthContext, Blueprint, BlueprintWithSteps, PipelineRun, Submitted
from local.demo.progress import follow
from local.demo_people import ADMIN
from local.derived_secrets import demo_webhook_secret
from local.errors import DemoError
from local.private_file import write_private
from local.settings import ROOT
from local.webhook_receiver import SIGNED_PATH

SAMPLE = ROOT / "local" / "samples" / "companies.csv"
BLUEPRINT_NAME = "Clean companies"
_SECRET_NAME = "demo_webhook_key"  # noqa: S105 (the name of a secret, not its value)

# Records without name or country are useless to their receiver.
_COMPANY_SCHEMA = {
    "type": "object",
    "required": ["name", "country"],
    "properties": {
        "name": {"type": "string", "minLength": 2},
        "country": {"type": "string", "pattern": "^[A-Z]{2}$"},
        "domain": {"type": ["string", "null"], "pattern": "^[^ ]+[.][^ ]+$"},
        "employees": {"type": ["integer", "null"], "minimum": 1},
    },
}


@dataclass(frozen=True)
class Demo:
    """The stack's environment, and where the demo keeps and prints what it makes."""

    environment: Mapping[str, str]
    folder: Path
    receiver_url: str
    console: Console

    @property
    def api_url(self) -> str:
        return self.environment["API_URL"]

    @property
    def token_file(self) -> Path:
        return self.folder / "api-token"

    @property
    def export_file(self) -> Path:
        return self.folder / "companies.clean.csv"

    def say(self, sentence: str) -> None:
        self.console.print(f"[bold cyan]•[/] {sentence}", highlight=False)


@dataclass(frozen=True)
class DemoRun:
    org: SeededOrg
    submitted: Submitted
    run: PipelineRun


@contextmanager
def run_demo(demo: Demo) -> Iterator[tuple[DemoRun, Api]]:
    """Runs the demo until its run has ended, and yields it with a client that has the API token."""
    org = seed(demo.environment)
    demo.say("The org [b]Demo Data Services[/] has two companies and three users.")
    blueprint = _prepare(demo, org)
    with Api(demo.api_url, _api_token(demo, org)) as server:
        submitted = _submit(demo, server, org, blueprint)
        run = _follow(demo, server, submitted.pipeline_run.id)
        yield DemoRun(org, submitted, run), server


def _prepare(demo: Demo, org: SeededOrg) -> Blueprint:
    """Sets the webhook's secret and the blueprint, as an org's admin does once, with a session."""
    with Api(demo.api_url, sign_in(demo.environment, ADMIN)) as admin:
        context = admin.call("/v1/auth/context", {}, AuthContext)
        if context.org_id != org.org_id or context.role != ADMIN.role:
            raise DemoError(f"{ADMIN.email} signed in as {context.role} of org {context.org_id}.")
        demo.say(f"{ADMIN.email} signed in with the role [b]{context.role}[/].")
        secret = {"name": _SECRET_NAME, "value": demo_webhook_secret(demo.environment)}
        admin.call_untyped("/v1/secrets/set", secret)
        blueprint = _blueprint(admin, demo.receiver_url + SIGNED_PATH)
    demo.say(f"Blueprint [b]{blueprint.name}[/] version {blueprint.version} is ready.")
    return blueprint


def _blueprint(admin: Api, webhook_url: str) -> Blueprint:
    """The demo's blueprint: created on the first run, updated if its steps have changed."""
    steps = _steps(webhook_url)
    for known in admin.every("/v1/blueprints/list", {}, Blueprint):
        if known.name != BLUEPRINT_NAME:
            continue
        found = admin.call("/v1/blueprints/get", {"blueprint_id": known.id}, BlueprintWithSteps)
        if [{"slug": step.slug, "config": step.config} for step in found.steps] == steps:
            return found
        change = {"blueprint_id": known.id, "steps": steps, "expected_version": found.version}
        return admin.call("/v1/blueprints/update", change, Blueprint)
    description = "The demo: from a CRM export to a signed webhook."
    return admin.call(
        "/v1/blueprints/create",
        {"name": BLUEPRINT_NAME, "description": description, "steps": steps},
        Blueprint,
    )


def _steps(webhook_url: str) -> list[dict[str, Any]]:
    return [
        {"slug": "normalize-company", "config": {}},
        {"slug": "validate-records", "config": {"schema": _COMPANY_SCHEMA}},
        {
            "slug": "dedupe-records",
            "config": {
                "match_on": [["domain"], ["name", "country"]],
                "compare_as": {"name": "company_name"},
                "merge": "fill_missing",
            },
        },
        {
            "slug": "deliver-webhook",
            "config": {"url": webhook_url, "secret_name": _SECRET_NAME, "batch_size": 100},
        },
    ]


def _api_token(demo: Demo, org: SeededOrg) -> str:
    """A token for one company: that of an earlier demo while the API accepts it, else a new one."""
    if demo.token_file.exists():
        token = demo.token_file.read_text().strip()
        if _accepted(demo, token):
            return token
    company_id = org.company_ids["northwind"]
    with Api(demo.api_url, sign_in(demo.environment, ADMIN)) as admin:
        made = admin.call(
            "/v1/api-tokens/create",
            {"name": "Demo server integration", "role": "member", "company_id": company_id},
            ApiToken,
        )
    write_private(demo.token_file, f"{made.token}\n")
    demo.say("Created an API token for the company [b]Northwind Traders[/].")
    return made.token


def _accepted(demo: Demo, token: str) -> bool:
    try:
        with Api(demo.api_url, token) as server:
            server.call("/v1/auth/context", {}, AuthContext)
    except ApiError as refusal:
        if refusal.status != 401:
            raise
        return False
    return True


def _submit(demo: Demo, server: Api, org: SeededOrg, blueprint: Blueprint) -> Submitted:
    fields = {"company_id": org.company_ids["northwind"], "blueprint_id": blueprint.id, "name": "CRM export"}
    submitted = server.upload("/v1/submissions/upload", SAMPLE, fields, Submitted)
    demo.say(
        f"Uploaded {SAMPLE.relative_to(ROOT)} with the token: "
        f"[b]{submitted.submission.record_count}[/] records, "
        f"{submitted.submission.rejected_count} bad rows."
    )
    if not submitted.dispatched:
        demo.say("Trigger.dev did not accept the run. The reconciler starts it within a minute.")
    return submitted


def _follow(demo: Demo, server: Api, pipeline_run_id: str) -> PipelineRun:
    run_id = {"pipeline_run_id": pipeline_run_id}
    try:
        return follow(demo.console, lambda: server.call("/v1/pipeline-runs/get", run_id, PipelineRun))
    except (KeyboardInterrupt, DemoError):
        # The stack may go on running, and the run with it, although nobody waits for it.
        with suppress(DemoError):
            server.call_untyped("/v1/pipeline-runs/cancel", run_id)
        raise
