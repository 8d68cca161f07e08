"""Files that are small when packed and expensive to read."""

from __future__ import annotations

import asyncio
import gzip
import io

import aiohttp

from tests.siege.attacks.attack import Attack, Attacker

_MB = 1_000_000


def packed(piece: bytes, size: int) -> bytes:
    """Gzip of `size` bytes that repeat the piece. They are never in memory as a whole."""
    block = piece * (_MB // len(piece))
    buffer = io.BytesIO()
    with gzip.GzipFile(fileobj=buffer, mode="wb", compresslevel=6) as file:
        for _ in range(size // len(block)):
            file.write(block)
    return buffer.getvalue()


class Upload(Attack):
    """Uploads the same `content` each time."""

    content: bytes

    async def send(self, attacker: Attacker) -> None:
        form = aiohttp.FormData()
        form.add_field("company_id", attacker.target.company_id)
        form.add_field("blueprint_id", attacker.target.blueprint_id)
        form.add_field("file", self.content, filename="rows.csv.gz", content_type="text/csv")
        await attacker.api("submissions/upload", form)


class BlankLines(Upload):
    name = "uploads of blank lines"
    sends = "eight uploads of 97 kB at once, each 100 MB of line feeds when unpacked"
    at_once = 8
    most = 8

    async def prepare(self, attacker: Attacker) -> None:
        self.content = await asyncio.to_thread(packed, b"\n", 100 * _MB)


class CarriageReturns(Upload):
    name = "uploads of carriage returns"
    sends = "uploads of 39 kB, 40 MB of carriage returns when unpacked"
    at_once = 4
    most = 8

    async def prepare(self, attacker: Attacker) -> None:
        self.content = await asyncio.to_thread(packed, b"\r", 40 * _MB)


class RowsOutOfNothing(Upload):
    name = "uploads of 24 million rows"
    sends = "uploads of 97 kB, 50 million times `a` and a line feed when unpacked; the client leaves early"
    at_once = 2
    most = 4

    async def prepare(self, attacker: Attacker) -> None:
        self.content = await asyncio.to_thread(packed, b"a\n", 100 * _MB)


class ManyUploads(Upload):
    name = "uploads of 1 MB, many"
    sends = "uploads of 20,000 rows, 16 at once"
    at_once = 16
    most = 400

    async def prepare(self, attacker: Attacker) -> None:
        rows = (f"Company {row} GmbH;www.company-{row}.example.com" for row in range(20_000))
        self.content = ("name;domain\n" + "\n".join(rows)).encode()
