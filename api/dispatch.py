"""Starts and cancels the Trigger.dev runs of pipeline runs.

The database has accepted the run or its cancellation before, so a failure here never fails the request.
"""

import asyncio
import logging
from uuid import UUID

from api.auth.caller import Caller
from api.errors import ApiError
from api.logs import note
from api.models.pipeline_runs import (
    PipelineRun,
    PipelineRunCreated,
    PipelineRunStatus,
    PipelineRunWithSteps,
)
from api.models.submissions import SubmissionAccepted, SubmissionCreated
from api.trigger_client import TriggerClient, TriggerUnavailableError, pipeline_run_tag

logger = logging.getLogger(__name__)

# How long a request waits for Trigger.dev to take its run.
PATIENCE_SECONDS = 3.0


async def dispatch_run(
    caller: Caller, trigger: TriggerClient, created: PipelineRunWithSteps
) -> PipelineRunCreated:
    run = await _dispatch(caller, trigger, created)
    return PipelineRunCreated(pipeline_run=run, dispatched=run.dispatched)


async def dispatch_submission(
    caller: Caller, trigger: TriggerClient, created: SubmissionCreated
) -> SubmissionAccepted:
    run = await _dispatch(caller, trigger, created.pipeline_run)
    return SubmissionAccepted(submission=created.submission, pipeline_run=run, dispatched=run.dispatched)


async def _dispatch(
    caller: Caller, trigger: TriggerClient, run: PipelineRunWithSteps
) -> PipelineRunWithSteps:
    """Starts an admitted, queued run and records the start; returns the run as it is then.

    A run that is not admitted waits: the worker that ends an earlier run starts it. A start that takes longer
    than a request waits goes on in the background. A run whose start failed, or was not recorded, stays
    undispatched: the reconciler starts it, and Trigger.dev takes the same run only once.
    """
    note(pipeline_run_id=str(run.id))
    if run.dispatched or not run.admitted or run.status is not PipelineRunStatus.QUEUED:
        return run
    start = trigger.background.start(_start(caller, trigger, run))
    if start is None:
        logger.warning("pipeline run %s was not dispatched: too many starts are under way", run.id)
        return run
    try:
        return await asyncio.wait_for(asyncio.shield(start), PATIENCE_SECONDS)
    except TimeoutError:
        logger.info("the start of pipeline run %s takes longer than its request", run.id)
        return run


async def _start(caller: Caller, trigger: TriggerClient, run: PipelineRunWithSteps) -> PipelineRunWithSteps:
    try:
        trigger_run_id = await trigger.start_run_pipeline(str(run.id), str(run.org_id))
        return await caller.call(
            "mark_pipeline_run_dispatched",
            {"p_pipeline_run_id": str(run.id), "p_trigger_run_id": trigger_run_id},
            PipelineRunWithSteps,
            repeatable=True,
        )
    except (TriggerUnavailableError, ApiError) as error:
        logger.warning("pipeline run %s was not dispatched: %s", run.id, error)
        return run


async def cancel_trigger_run(trigger: TriggerClient, run: PipelineRun) -> None:
    """Cancels the Trigger.dev run of a cancelled pipeline run. Without it, the task stops later by itself.

    A client of the Data API may have written the recorded id. So the Trigger.dev run must carry the tag of
    this pipeline run before it is cancelled.
    """
    if run.trigger_run_id is None or run.status is not PipelineRunStatus.CANCELLED:
        return
    try:
        trigger_run = await trigger.retrieve_run(run.trigger_run_id)
        if not _is_run_of(trigger_run.get("tags"), run.id):
            logger.error("Trigger.dev run %s is not pipeline run %s", run.trigger_run_id, run.id)
            return
        await trigger.cancel_run(run.trigger_run_id)
    except TriggerUnavailableError as error:
        logger.warning("the Trigger.dev run of pipeline run %s was not cancelled: %s", run.id, error)


def _is_run_of(tags: object, pipeline_run_id: UUID) -> bool:
    return isinstance(tags, list) and pipeline_run_tag(str(pipeline_run_id)) in tags
