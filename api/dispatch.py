"""Hands pipeline runs to Trigger.dev and takes them back.

SQL has decided already, so nothing here can fail a caller.
"""

import logging
from uuid import UUID

from api.data_api import DataApiCaller
from api.errors import ApiError
from api.logs import note
from api.models.pipeline_runs import PipelineRun, PipelineRunStatus, PipelineRunWithSteps
from api.trigger_client import TriggerClient, TriggerUnavailableError, pipeline_run_tag

logger = logging.getLogger(__name__)


async def dispatch(
    rpc: DataApiCaller, trigger: TriggerClient, run: PipelineRunWithSteps
) -> PipelineRunWithSteps:
    """Starts an admitted, queued run and records that; returns the run as it is then.

    A run whose turn has not come is left to whoever ends one before it.

    A run whose start failed, or was not recorded, stays undispatched and the reconciler starts it later:
    Trigger.dev takes the same run only once.
    """
    note(pipeline_run_id=str(run.id))
    if run.dispatched or not run.admitted or run.status is not PipelineRunStatus.QUEUED:
        return run
    try:
        trigger_run_id = await trigger.start_run_pipeline(str(run.id), str(run.org_id))
        return await rpc.call(
            "mark_pipeline_run_dispatched",
            {"p_pipeline_run_id": str(run.id), "p_trigger_run_id": trigger_run_id},
            PipelineRunWithSteps,
            repeatable=True,
        )
    except (TriggerUnavailableError, ApiError) as error:
        logger.warning("pipeline run %s was not dispatched: %s", run.id, error)
        return run


async def cancel_trigger_run(trigger: TriggerClient, run: PipelineRun) -> None:
    """Tells Trigger.dev that a cancelled run need not go on; the task would notice it by itself, later.

    The recorded id may have been written by a client of the Data API, so the Trigger.dev run must carry
    this run's tag before it is cancelled.
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
        logger.warning("Trigger.dev was not told that pipeline run %s is cancelled: %s", run.id, error)


def _is_run_of(tags: object, pipeline_run_id: UUID) -> bool:
    return isinstance(tags, list) and pipeline_run_tag(str(pipeline_run_id)) in tags
