"""What reading files costs: rows a second beside the csv module alone, and how long the event loop waits
meanwhile.

`python -m tests.benchmarks.ingest` prints both. The csv module only splits fields; reading also decodes,
hashes, counts columns and makes the JSON that is sent.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import tempfile
import time
from collections.abc import Callable, Iterator
from typing import IO

from api.ingest.chunks import chunked
from api.ingest.frames import FrameKind
from api.ingest.job import FileFormat, ReadJob, ReadLimits, ReadOptions
from api.ingest.pool import UploadLimits, UploadPool
from api.ingest.reading import FileReading
from tests.support.workbooks import workbook

ROWS = 200_000
WORKBOOK_ROWS = 20_000
LARGE_BYTES = 100_000_000
REPEATS = 3
TICK_SECONDS = 0.001
NAMES = ["name", "country", "city", "website", "email", "phone", "industry", "employees", "notes", "founded"]
LIMITS = ReadLimits(max_bytes=1_000_000_000, max_rows=100_000_000)


def rows(count: int) -> Iterator[list[str]]:
    for number in range(count):
        yield [
            f"Acme Tools {number} Ltd",
            "United Kingdom",
            "London",
            f"https://acme{number}.co.uk",
            f"info@acme{number}.co.uk",
            f"020 7946 {number % 10000:04}",
            "Manufacturing",
            str(number % 5000),
            "some remark",
            f"19{number % 100:02}",
        ]


def as_csv(count: int, *, quoted: bool = False) -> str:
    file = io.StringIO()
    writer = csv.writer(file, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL)
    writer.writerow(NAMES)
    writer.writerows(rows(count))
    return file.getvalue()


def read(content: bytes, file_format: FileFormat) -> None:
    reading = FileReading(io.BytesIO(content), ReadJob(ReadOptions(format=file_format), LIMITS))
    for chunk in chunked(reading.rows()):
        b",".join(chunk.records)
    reading.columns()


def rows_per_second(count: int, work: Callable[[], object]) -> float:
    best = float("inf")
    for _ in range(REPEATS):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return count / best


def compare() -> None:
    text = as_csv(ROWS)
    alone = rows_per_second(ROWS, lambda: sum(1 for _ in csv.reader(io.StringIO(text, newline=""))))
    print(f"{'csv.reader alone':<28}{alone:>12,.0f} rows/s")
    lines = "\n".join(json.dumps(dict(zip(NAMES, row, strict=True))) for row in rows(ROWS))
    book = workbook(Data=[NAMES, *rows(WORKBOOK_ROWS)])
    files = (
        ("CSV, UTF-8", ROWS, text.encode(), FileFormat.CSV),
        ("CSV, UTF-8, all quoted", ROWS, as_csv(ROWS, quoted=True).encode(), FileFormat.CSV),
        ("CSV, Windows-1252", ROWS, text.replace("Acme", "Müller").encode("cp1252"), FileFormat.CSV),
        ("CSV, UTF-16", ROWS, text.encode("utf-16"), FileFormat.CSV),
        ("NDJSON", ROWS, lines.encode(), FileFormat.NDJSON),
        (".xlsx", WORKBOOK_ROWS, book, FileFormat.XLSX),
    )
    for name, count, content, file_format in files:
        found = rows_per_second(count, lambda c=content, f=file_format: read(c, f))  # type: ignore[misc]
        print(f"{name:<28}{found:>12,.0f} rows/s   {alone / found:5.1f} times the csv module alone")


async def delays(done: asyncio.Event) -> list[float]:
    """How much later than asked for the loop comes back, in milliseconds."""
    found = []
    while not done.is_set():
        started = time.perf_counter()
        await asyncio.sleep(TICK_SECONDS)
        found.append((time.perf_counter() - started - TICK_SECONDS) * 1000)
    return sorted(found)


async def loop_delay(file: IO[bytes] | None) -> list[float]:
    done = asyncio.Event()
    measuring = asyncio.create_task(delays(done))
    if file is None:
        await asyncio.sleep(3)
    else:
        pool = UploadPool(UploadLimits(LIMITS))
        async with pool.process("an org") as process:
            process.begin(file.fileno(), ReadJob(limits=LIMITS), 600)
            while (await process.next_frame()).kind is not FrameKind.END:  # noqa: ASYNC110
                # As long as a chunk takes to be stored, at the least.
                await asyncio.sleep(0.005)
        await pool.close()
    done.set()
    return await measuring


def show_loop_delay() -> None:
    content = as_csv(LARGE_BYTES // 140).encode()
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        for name, of in (("nothing is read", None), (f"{len(content) / 1e6:,.0f} MB are read", file)):
            found = asyncio.run(loop_delay(of))
            p50, p99 = found[len(found) // 2], found[len(found) * 99 // 100]
            print(
                f"event loop while {name:<20} p50 {p50:6.2f} ms   p99 {p99:6.2f} ms   max {found[-1]:6.2f} ms"
            )


if __name__ == "__main__":
    compare()
    show_loop_delay()
