"""The webhook receiver of the benchmark: it stores requests as bytes and parses them only afterwards."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support.loopback_server import Handler, listening


class Receiver:
    def __init__(self, url: str) -> None:
        self.url = url
        self.bodies: list[bytes] = []

    def take_ids(self) -> list[str]:
        """The ids of the records that have arrived since the last call, sorted."""
        bodies, self.bodies = self.bodies, []
        return sorted(record["id"] for body in bodies for record in json.loads(body)["data"]["records"])


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Listens on a free port while the block runs."""

    class Webhook(Handler):
        disable_nagle_algorithm = True

        def respond(self) -> None:
            taking.bodies.append(self.read_body())
            self.answer(200)

    with listening(Webhook) as url:
        taking = Receiver(f"{url}/records")
        yield taking
