"""How much memory the worker needs for a large batch: `make bench-memory`.

Uploads 100,000 records of 2 KB to a full stack and sends them through normalize, validate, dedupe and a
webhook on loopback. With `--merge`, half of the records are duplicates: each has four notes that the other
lacks, and dedupe merges them. Prints the peak resident memory of each process that executes tasks (the
kernel's own high-water mark) and exits with 1 if one exceeds the target.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import httpx
import psutil
import psycopg

from tests.support.loopback_server import Handler, listening
from tests.support.product import FINAL, Json, Product, assert_ledger_balances
from tests.support.stack import StackEnvironment, stack_for_tests
from tests.support.stack_processes import StackProcesses
from tests.support.tenants import Org, create_org, session_jwt

RECORDS, RECORD_BYTES = 100_000, 2_000
MOST_MEGABYTES = 300
SECRET_NAME, SECRET = "bench_key", "whsec_" + "QUJD" * 11
SCHEMA = {
    "type": "object",
    "required": ["name", "domain", "country"],
    "properties": {"country": {"pattern": "^[A-Z]{2}$"}, "employees": {"type": ["integer", "null"]}},
}
_LETTERS = random.Random(0)  # noqa: S311 (to be repeatable)
_WORDS = [
    "".join(_LETTERS.choices("etaoinshrdlucmfwypvbgkq", k=2 + n % 8)).capitalize() for n in range(4_000)
]


def record(row: int, pairs: int | None = None) -> bytes:
    """A company as CRMs export them: fields to normalise, and notes. One in fifty is a duplicate.

    With `pairs`, each row beyond that number is a duplicate of an earlier one, far away and with other notes.
    """
    chance = random.Random(row)  # noqa: S311 (to be repeatable)
    company = row - 1 if row % 50 == 0 else row
    notes = range(1, 9)
    if pairs is not None:
        company = row if row <= pairs else row * 7_919 % pairs + 1
        notes = range(1, 5) if row <= pairs else range(5, 9)
    name = f"{_WORDS[company % 4_000]} {_WORDS[company // 4_000]} {company}"
    data = {
        "Company name": f"{name} gmbh",
        "Website": f"https://www.company-{company}.com/about?utm_source=crm",
        "E-mail": f"info@company-{company}.com",
        "Phone": f"030 {1_000_000 + company}",
        "Country": "Germany",
        "City": "BERLIN",
        "Employees": f"{10 + company % 900}",
        **{f"Note {n}": "" for n in notes},
    }
    room = RECORD_BYTES - len(json.dumps(data))
    for n in notes:
        data[f"Note {n}"] = " ".join(chance.choices(_WORDS, k=room // len(notes) // 6))[: room // len(notes)]
    return json.dumps(data).encode() + b"\n"


async def upload(
    http: httpx.AsyncClient, stack: StackEnvironment, org: Org, blueprint: str, records: int, *, merge: bool
) -> str:
    """Returns the run's id. The file is never in memory as a whole."""
    boundary = "records"
    fields = {"company_id": org.first.id, "blueprint_id": blueprint}

    async def body() -> AsyncIterator[bytes]:
        for name, value in fields.items():
            yield (
                f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
            )
        yield (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="records.ndjson"\r\n\r\n'
        ).encode()
        for row in range(1, records + 1):
            yield record(row, records // 2 if merge else None)
        yield f"\r\n--{boundary}--\r\n".encode()

    response = await http.post(
        f"{stack.api_url}/v1/submissions/upload",
        content=body(),
        headers={
            "Authorization": f"Bearer {session_jwt(stack, org.admin)}",
            "Content-Type": f"multipart/form-data; boundary={boundary}",
        },
        timeout=1_800,
    )
    response.raise_for_status()
    return str(response.json()["data"]["pipeline_run"]["id"])


@contextmanager
def listening_webhook() -> Iterator[str]:
    """A webhook that reads each request and forgets it."""

    class Webhook(Handler):
        def respond(self) -> None:
            self.read_body()
            self.answer(200)

    with listening(Webhook) as url:
        yield f"{url}/records"


class Watch:
    """Megabytes of the processes that execute tasks: when first seen, and at most. `look` updates them."""

    def __init__(self, processes: StackProcesses) -> None:
        self._processes = processes
        self.idle: dict[int, float] = {}
        self.most: dict[int, float] = {}

    def look(self) -> None:
        for process in self._processes.executing_tasks():
            with suppress(OSError, psutil.NoSuchProcess):
                resident = _megabytes(process.pid, "VmHWM")
                self.idle.setdefault(process.pid, _megabytes(process.pid, "VmRSS"))
                self.most[process.pid] = max(resident, self.most.get(process.pid, 0))


def _megabytes(pid: int, mark: str) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{mark}:"):
            return int(line.split()[1]) * 1024 / 1_000_000
    raise OSError(f"/proc/{pid}/status has no {mark}")


async def measure(stack: StackEnvironment, records: int, *, merge: bool) -> tuple[Json, Watch, float]:
    """The finished run, the memory of its processes, and the seconds that it took."""
    with psycopg.connect(stack.database_url) as connection:
        org = create_org(connection)
    watch = Watch(StackProcesses(stack))
    async with httpx.AsyncClient(trust_env=False) as http:
        with listening_webhook() as url:
            # A session lasts ten minutes, a run perhaps longer.
            def admin() -> Product:
                return Product(http, stack.api_url, session_jwt(stack, org.admin))

            await admin().call("secrets/set", {"name": SECRET_NAME, "value": SECRET})
            blueprint = await admin().blueprint(
                {"slug": "normalize-company", "config": {"default_phone_country": "DE"}},
                {"slug": "validate-records", "config": {"schema": SCHEMA}},
                {"slug": "dedupe-records", "config": {"merge": "fill_missing" if merge else "none"}},
                {"slug": "deliver-webhook", "config": {"url": url, "secret_name": SECRET_NAME}},
            )
            print(f"Uploading {records:,} records of {RECORD_BYTES:,} bytes …", flush=True)
            run_id = await upload(http, stack, org, blueprint, records, merge=merge)
            started = time.monotonic()
            while (run := await admin().run(run_id))["status"] not in FINAL:
                for _ in range(20):
                    watch.look()
                    await asyncio.sleep(0.1)
            return run, watch, time.monotonic() - started


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--records", type=int, default=RECORDS)
    arguments.add_argument("--merge", action="store_true", help="half of the records complete the others")
    given = arguments.parse_args()
    records: int = given.records
    settings = {"MAX_UPLOAD_BYTES": str(2 * records * RECORD_BYTES)}
    with (
        tempfile.TemporaryDirectory(prefix="bench-memory-") as folder,
        stack_for_tests(Path(folder), "all", settings=settings, durable=True) as stack,
    ):
        run, watch, seconds = asyncio.run(measure(stack, records, merge=given.merge))
    if run["status"] != "succeeded":
        sys.exit(f"The run is {run['status']}: {run['error']}")
    assert_ledger_balances(run)
    last = run["steps"][-1]
    print(
        f"{last['records_out']:,} of {run['record_count']:,} records delivered in {seconds:.0f} s", end=", "
    )
    print(f"{last['chunk_count']} chunks a step")
    for pid, most in watch.most.items():
        print(f"worker process {pid}: {most:.0f} MB at most, {watch.idle[pid]:.0f} MB when first seen")
    if not watch.most:
        sys.exit("No process that executes tasks was seen.")
    if max(watch.most.values()) > MOST_MEGABYTES:
        sys.exit(f"More than {MOST_MEGABYTES} MB.")
    print(f"Within {MOST_MEGABYTES} MB.")


if __name__ == "__main__":
    main()
