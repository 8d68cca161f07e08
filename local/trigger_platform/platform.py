"""The platform, put together from its parts."""

import asyncio

from local.trigger_platform.clock import Now, Timers, utc_now
from local.trigger_platform.dispatch import Dispatch
from local.trigger_platform.engine import Engine
from local.trigger_platform.environment import Environment
from local.trigger_platform.ids import bare
from local.trigger_platform.models import Worker
from local.trigger_platform.packets import PacketStore
from local.trigger_platform.queues import RunQueues
from local.trigger_platform.schedules import Schedules
from local.trigger_platform.settings import Settings
from local.trigger_platform.snapshots import Snapshots
from local.trigger_platform.state import State
from local.trigger_platform.triggering import Triggering
from local.trigger_platform.waits import Waits
from local.trigger_platform.worker_socket import WorkerSocket
from local.trigger_platform.workers import WorkerManifest, Workers


class Platform:
    def __init__(self, settings: Settings, public_url: str, now: Now = utc_now) -> None:
        self.environment = Environment(
            project_ref=settings.trigger_project_ref,
            secret_key=settings.trigger_secret_key,
            access_token=settings.trigger_access_token,
            public_url=public_url,
            task_variables=settings.task_environment(),
        )
        self.closing = asyncio.Event()
        self._answer_seconds = settings.trigger_answer_seconds
        self._turn_to_trigger = asyncio.Lock()
        self.timers = Timers(now)
        self.state = State(settings.trigger_finished_runs_kept)
        self.queues = RunQueues(settings.trigger_max_executing_runs)
        self.workers = Workers(now)
        self.snapshots = Snapshots(
            self.timers,
            settings.trigger_heartbeat_timeout_seconds,
            settings.trigger_pending_timeout_seconds,
        )
        self.waits = Waits(self.state, self.queues, self.snapshots, self.timers)
        self.dispatch = Dispatch(
            self.state, self.queues, self.workers, self.snapshots, self.waits, self.timers
        )
        self.engine = Engine(
            self.state,
            self.queues,
            self.dispatch,
            self.snapshots,
            self.waits,
            self.timers,
            settings.trigger_revives_cancelled_runs,
        )
        self.packets = PacketStore(public_url, settings.trigger_packet_bytes_kept)
        self.triggering = Triggering(
            self.state, self.dispatch, self.workers, self.waits, self.packets, self.timers
        )
        self.schedules = Schedules(self.triggering, self.timers)
        self.socket = WorkerSocket(
            settings.trigger_secret_key, self.timers, settings.trigger_session_grace_seconds
        )
        self.snapshots.notify = self.socket.notify
        self.socket.lost = self._session_lost
        self.schedules.is_connected = lambda: self.socket.is_connected

    def register_worker(self, manifest: WorkerManifest) -> Worker:
        """Make a build of the tasks the current one."""
        worker = self.workers.register(manifest)
        self.schedules.sync(worker)
        self.dispatch.workers_changed()
        return worker

    @property
    def ready_version(self) -> str | None:
        """The current worker's version while a CLI is connected, else None."""
        current = self.workers.current
        return current.version if current and self.socket.is_connected else None

    async def take_turn_to_trigger(self) -> None:
        """Wait as long as the settings say that a call to trigger takes, one call after the other."""
        if self._answer_seconds:
            async with self._turn_to_trigger:
                await asyncio.sleep(self._answer_seconds)

    def close(self) -> None:
        """End every held request. No request may follow."""
        self.closing.set()
        self.dispatch.runs_ready.fire()

    async def is_closing_within(self, seconds: float) -> bool:
        """Wait up to `seconds` for the platform to stop. Return whether it does."""
        try:
            return await asyncio.wait_for(self.closing.wait(), seconds)
        except TimeoutError:
            return False

    def _session_lost(self, run_friendly_ids: set[str]) -> None:
        found = (self.state.runs.get(bare(friendly_id)) for friendly_id in run_friendly_ids)
        self.engine.session_lost([run for run in found if run])
