"""What the demo does, as the product's three kinds of users do it: operator, frontend, server integration."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from local.demo.api import Api, ApiError
from local.demo.errors import DemoError
from local.demo.models import ApiToken, AuthContext, Blueprint, BlueprintWithSteps, PipelineRun, Submitted
from local.demo.progress import follow
from local.demo.seeding import ADMIN, SeededOrg, derive, seed, sign_in
from local.demo.webhook_receiver import WebhookReceiver
from local.private_file import write_private
from local.settings import ROOT

SAMPLE = ROOT / "local" / "samples" / "companies.csv"
BLUEPRINT_NAME = "Clean companies"
_SECRET_NAME = "demo_webhook_key"  # noqa: S105 (the name of a secret, not its value)

# A company without name or country is of no use to anybody who receives the records.
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
class Scene:
    """Where the demo takes place."""

    environment: Mapping[str, str]
    folder: Path
    receiver_port: int
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
class Performance:
    """What was played: the org, what was submitted, how the run ended, and who listened."""

    org: SeededOrg
    submitted: Submitted
    run: PipelineRun
    receiver: WebhookReceiver


@contextmanager
def perform(scene: Scene) -> Iterator[tuple[Performance, Api]]:
    """Plays the demo up to the end of the run; the webhook receiver listens while the block runs."""
    org = seed(scene.environment)
    scene.say("Org [b]Demo Data Services[/] with two companies and three people is there.")
    webhook_secret = _webhook_secret(scene)
    with WebhookReceiver(scene.receiver_port, webhook_secret) as receiver:
        blueprint = _prepare(scene, org, receiver.url, webhook_secret)
        with Api(scene.api_url, _api_token(scene, org)) as server:
            submitted = _submit(scene, server, org, blueprint)
            run = _follow(scene, server, submitted.pipeline_run.id)
            yield Performance(org, submitted, run, receiver), server


def _prepare(scene: Scene, org: SeededOrg, webhook_url: str, webhook_secret: str) -> Blueprint:
    """What an org's admin sets up once, with a session: the webhook's secret and the blueprint."""
    with Api(scene.api_url, sign_in(scene.environment, ADMIN)) as admin:
        context = admin.call("/v1/auth/context", {}, AuthContext)
        if context.org_id != org.org_id or context.role != ADMIN.role:
            raise DemoError(f"{ADMIN.email} signed in as {context.role} of org {context.org_id}.")
        scene.say(f"{ADMIN.email} signed in; the API knows her as [b]{context.role}[/].")
        admin.call_untyped("/v1/secrets/set", {"name": _SECRET_NAME, "value": webhook_secret})
        blueprint = _blueprint(admin, webhook_url)
    scene.say(f"Blueprint [b]{blueprint.name}[/] version {blueprint.version} is ready.")
    return blueprint


def _blueprint(admin: Api, webhook_url: str) -> Blueprint:
    """The demo's blueprint, made on the first run and brought up to date when its steps have changed."""
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


def _api_token(scene: Scene, org: SeededOrg) -> str:
    """A token that acts for one company; the one of an earlier run as long as the API takes it."""
    if scene.token_file.exists():
        token = scene.token_file.read_text().strip()
        if _accepted(scene, token):
            return token
    company_id = org.company_ids["northwind"]
    with Api(scene.api_url, sign_in(scene.environment, ADMIN)) as admin:
        made = admin.call(
            "/v1/api-tokens/create",
            {"name": "Demo server integration", "role": "member", "company_id": company_id},
            ApiToken,
        )
    write_private(scene.token_file, f"{made.token}\n")
    scene.say("An API token for the company [b]Northwind Traders[/] was made.")
    return made.token


def _accepted(scene: Scene, token: str) -> bool:
    try:
        with Api(scene.api_url, token) as server:
            server.call("/v1/auth/context", {}, AuthContext)
    except ApiError as refusal:
        if refusal.status != 401:
            raise
        return False
    return True


def _submit(scene: Scene, server: Api, org: SeededOrg, blueprint: Blueprint) -> Submitted:
    fields = {"company_id": org.company_ids["northwind"], "blueprint_id": blueprint.id, "name": "CRM export"}
    submitted = server.upload("/v1/submissions/upload", SAMPLE, fields, Submitted)
    scene.say(
        f"Uploaded {SAMPLE.relative_to(ROOT)} with the token: "
        f"[b]{submitted.submission.record_count}[/] records, "
        f"{submitted.submission.rejected_count} bad rows."
    )
    if not submitted.dispatched:
        scene.say("Trigger.dev did not take the run at once; the reconciler starts it within a minute.")
    return submitted


def _follow(scene: Scene, server: Api, pipeline_run_id: str) -> PipelineRun:
    run_id = {"pipeline_run_id": pipeline_run_id}
    try:
        return follow(scene.console, lambda: server.call("/v1/pipeline-runs/get", run_id, PipelineRun))
    except (KeyboardInterrupt, DemoError):
        # Nobody waits for it any more; on a stack that goes on running it would go on as well.
        with suppress(DemoError):
            server.call_untyped("/v1/pipeline-runs/cancel", run_id)
        raise


def _webhook_secret(scene: Scene) -> str:
    return "whsec_" + base64.b64encode(derive(scene.environment, "webhook")).decode()
