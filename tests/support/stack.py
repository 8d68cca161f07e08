"""A local stack for tests, on free ports, with its variables as typed fields."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType

from local.settings import TRIGGER_FOLDER, Scope
from local.stack import running_stack

# Linux takes the ports of outgoing connections from a higher range, so a probed port stays free.
_PORT_BASES = range(20000, 30000, 10)
# The last port of each ten that this process has taken, bound for as long as it lives.
_reservations: list[socket.socket] = []


@dataclass(frozen=True)
class StackEnvironment:
    """The variables of `python -m local env`. In scope supabase, API and Trigger.dev do not run."""

    directory: Path
    scope: Scope
    api_url: str
    supabase_url: str
    publishable_key: str
    secret_key: str = field(repr=False)
    jwt_secret: str = field(repr=False)
    jwt_issuer: str
    jwt_audience: str
    database_url: str = field(repr=False)
    trigger_api_url: str
    trigger_secret_key: str = field(repr=False)
    variables: dict[str, str] = field(repr=False)

    @classmethod
    def of(cls, directory: Path, scope: Scope, variables: dict[str, str]) -> StackEnvironment:
        return cls(
            directory=directory,
            scope=scope,
            api_url=variables["API_URL"],
            supabase_url=variables["SUPABASE_URL"],
            publishable_key=variables["SUPABASE_PUBLISHABLE_KEY"],
            secret_key=variables["SUPABASE_SECRET_KEY"],
            jwt_secret=variables["SUPABASE_JWT_SECRET"],
            jwt_issuer=variables["SUPABASE_JWT_ISSUER"],
            jwt_audience=variables["SUPABASE_JWT_AUDIENCE"],
            database_url=variables["DATABASE_URL"],
            trigger_api_url=variables["TRIGGER_API_URL"],
            trigger_secret_key=variables["TRIGGER_SECRET_KEY"],
            variables=variables,
        )

    @property
    def log_directory(self) -> Path:
        return self.directory / "logs"


@contextmanager
def stack_for_tests(
    directory: Path,
    scope: Scope,
    *,
    settings: Mapping[str, str] | None = None,
    trigger_folder: Path = TRIGGER_FOLDER,
    durable: bool = False,
) -> Iterator[StackEnvironment]:
    """A stack for as long as the block runs.

    `settings` replace the API's local ones. Measurements ask for a `durable` database.

    The stack consists of stand-ins, even if the shell's variables name services, unless TEST_AGAINST_SERVICES
    is set: then those services are used, and migrated.
    """
    against_services = bool(os.environ.get("TEST_AGAINST_SERVICES"))
    services = dict(os.environ) if against_services else own_postgrest()
    with (
        terminated_like_interrupted(),
        running_stack(
            directory,
            free_port_base(),
            only=scope,
            migrate=against_services,
            durable=durable,
            environment=services | dict(settings or {}),
            trigger_folder=trigger_folder,
        ) as variables,
    ):
        yield StackEnvironment.of(directory, scope, variables)
    # The logs stay, for a failure to be looked into.
    shutil.rmtree(directory / "postgres", ignore_errors=True)


def own_postgrest() -> dict[str, str]:
    """POSTGREST_BIN, the only variable of the shell that a stack of stand-ins takes over."""
    return {name: os.environ[name] for name in ("POSTGREST_BIN",) if name in os.environ}


def free_port_base() -> int:
    """The first of nine consecutive free ports, which no other test process gets.

    The tenth port is bound from now on: the process that fails to bind it looks further.
    """
    bases = list(_PORT_BASES)
    random.shuffle(bases)
    for base in bases:
        reservation = socket.socket()
        try:
            reservation.bind(("127.0.0.1", base + 9))
        except OSError:
            reservation.close()
            continue
        _reservations.append(reservation)
        if all(_is_free(port) for port in range(base, base + 9)):
            return base
    raise RuntimeError(
        f"No ten consecutive ports are free between {_PORT_BASES.start} and {_PORT_BASES.stop}."
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@contextmanager
def terminated_like_interrupted() -> Iterator[None]:
    """SIGTERM stops the stack as Ctrl-C does: CI sends it to a job that is cancelled or out of time."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
