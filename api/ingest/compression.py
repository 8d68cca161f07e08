"""The content of a file, decompressed block by block within bounds on size and ratio."""

import gzip
import os
import zlib
from collections.abc import Iterator
from typing import IO, cast

from api.ingest.job import ReadLimits
from api.ingest.refusal import too_large, unreadable

BLOCK_BYTES = 256 * 1024
GZIP_MAGIC = b"\x1f\x8b"
# A small file may be as repetitive as it likes: what it becomes is small.
RATIO_FREE_BYTES = 10 * 1024 * 1024


def is_compressed(file: IO[bytes]) -> bool:
    file.seek(0)
    return file.read(2) == GZIP_MAGIC


def blocks(file: IO[bytes], limits: ReadLimits) -> Iterator[bytes]:
    """Raises FileRefusedError payload_too_large beyond a bound, unreadable_file when the compression is
    broken.
    """
    compressed = is_compressed(file)
    stored = file.seek(0, os.SEEK_END)
    file.seek(0)
    content = cast(IO[bytes], gzip.GzipFile(fileobj=file, mode="rb")) if compressed else file
    size = 0
    try:
        while block := content.read(BLOCK_BYTES):
            size += len(block)
            if size > limits.max_bytes:
                what = "decompressed content of the file" if compressed else "file"
                raise too_large(
                    f"The {what} is larger than {limits.max_bytes:,} bytes. Split it.",
                    limit_bytes=limits.max_bytes,
                )
            if compressed and size > RATIO_FREE_BYTES and size > limits.max_ratio * stored:
                raise too_large(
                    f"Decompressed, the file is over {limits.max_ratio} times as large. Send it as it is.",
                    limit_ratio=limits.max_ratio,
                )
            yield block
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise unreadable("The gzip compression of the file is broken or incomplete.") from error
