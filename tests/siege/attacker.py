"""The process that performs one attack."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections import Counter
from contextlib import suppress
from multiprocessing.queues import Queue

from tests.siege.attacks import ATTACKS
from tests.siege.attacks.attack import Attacker, new_session
from tests.siege.target import Target

# A real attacker uses processors elsewhere. Here it yields them to the product.
_NICE = 15
_PREPARE_SECONDS = 100.0
# A request that began in time may end later.
_LEEWAY_SECONDS = 60.0

READY = "ready"
Message = str | Counter[str]


def attack(name: str, target: Target, seconds: float, messages: Queue[Message]) -> None:
    """Sends READY after the preparation, and the counted answers at the end."""
    os.nice(_NICE)
    logging.getLogger("psycopg").setLevel(logging.ERROR)  # it warns of each statement that is given up
    asyncio.run(_attack(name, target, seconds, messages))


async def _attack(name: str, target: Target, seconds: float, messages: Queue[Message]) -> None:
    attack = next(kind for kind in ATTACKS if kind.name == name)()
    async with new_session(target) as http:
        attacker = Attacker(http, target)
        attacker.until = time.monotonic() + _PREPARE_SECONDS
        await asyncio.wait_for(attack.prepare(attacker), _PREPARE_SECONDS + _LEEWAY_SECONDS)
        attacker.answers.clear()
        attacker.until = time.monotonic() + seconds
        messages.put(READY)
        with suppress(TimeoutError):
            await asyncio.wait_for(attack.press(attacker), seconds + 1)
    messages.put(attacker.answers)
