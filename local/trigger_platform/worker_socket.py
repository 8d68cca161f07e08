"""The CLI's socket: it tells the CLI which runs changed, and the platform that the CLI is gone."""

import asyncio
from collections.abc import Callable
from typing import Any

import socketio  # type: ignore[import-untyped]

from local.trigger_platform.clock import Timers
from local.trigger_platform.models import Run

NAMESPACE = "/dev-worker"


class WorkerSocket:
    """Namespace `/dev-worker` over socket.io.

    The CLI subscribes to the runs it executes, again after each reconnect. A run counts as lost when its
    subscriber disconnects without unsubscribing and nobody subscribes within the grace period.
    """

    def __init__(self, secret_key: str, timers: Timers, grace_seconds: float) -> None:
        self.lost: Callable[[set[str]], None] = lambda run_friendly_ids: None
        self.server = socketio.AsyncServer(async_mode="asgi", transports=["websocket"])
        self._secret_key = secret_key
        self._timers = timers
        self._grace_seconds = grace_seconds
        self._subscriptions: dict[str, set[str]] = {}
        self._sending: set[asyncio.Task[None]] = set()
        self.server.on("connect", self._connect, namespace=NAMESPACE)
        self.server.on("disconnect", self._disconnect, namespace=NAMESPACE)
        self.server.on("run:subscribe", self._subscribe, namespace=NAMESPACE)
        self.server.on("run:unsubscribe", self._unsubscribe, namespace=NAMESPACE)

    @property
    def is_connected(self) -> bool:
        return bool(self._subscriptions)

    def notify(self, run: Run) -> None:
        """Tell every connected CLI that the run changed: its subscription may still be on its way."""
        message = {"version": "1", "run": {"friendlyId": run.friendly_id}}
        sending = asyncio.ensure_future(self.server.emit("run:notify", message, namespace=NAMESPACE))
        self._sending.add(sending)
        sending.add_done_callback(self._sending.discard)

    async def _connect(self, sid: str, environ: dict[str, Any], auth: object = None) -> None:
        if environ.get("HTTP_AUTHORIZATION") != f"Bearer {self._secret_key}":
            raise socketio.exceptions.ConnectionRefusedError("Invalid API key")
        self._subscriptions[sid] = set()

    async def _disconnect(self, sid: str, reason: object = None) -> None:
        runs = self._subscriptions.pop(sid, set())
        if runs:
            self._timers.after(("session", sid), self._grace_seconds, lambda: self._check(runs))

    async def _subscribe(self, sid: str, message: dict[str, Any]) -> None:
        self._subscriptions[sid].update(message["runFriendlyIds"])

    async def _unsubscribe(self, sid: str, message: dict[str, Any]) -> None:
        self._subscriptions[sid].difference_update(message["runFriendlyIds"])

    def _check(self, runs: set[str]) -> None:
        orphans = runs.difference(*self._subscriptions.values())
        if orphans:
            self.lost(orphans)
