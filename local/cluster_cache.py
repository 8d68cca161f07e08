"""Migrated database clusters, built once and copied by every new stack.

An entry is the data folder of a PostgreSQL server that was shut down. Its name is a hash of everything that
shapes it. It holds no password of a stack: it is built under credentials that nobody keeps, and each copy
gets those of its stack.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from local.errors import StackError
from local.settings import ROOT

CACHE = ROOT / ".cache" / "clusters"
_ENTRIES_KEPT = 3
# The migrations, the roles and settings that they meet, and the versions of PostgreSQL, Auth and the CLI.
_SOURCES = (
    "supabase.toml",
    "supabase/package-lock.json",
    "supabase/migrations/**/*",
    "local/supabase/package-lock.json",
    "local/supabase/*.mjs",
    "local/supabase/*.sql",
)


def cluster_key(root: Path = ROOT) -> str:
    """The name of the entry that the repository's files ask for."""
    digest = sha256(f"{platform.system()} {platform.machine()}".encode())
    for path in sorted({path for pattern in _SOURCES for path in root.glob(pattern) if path.is_file()}):
        content = path.read_bytes()
        digest.update(f"\n{path.relative_to(root)} {len(content)}\n".encode() + content)
    return digest.hexdigest()[:32]


@contextmanager
def migrated_cluster(build: Callable[[Path], None], cache: Path = CACHE) -> Iterator[Path]:
    """A migrated cluster, to be copied while the block runs.

    `build` makes one in `data` in the folder that it gets, and shuts its server down. It is called when there
    is no entry yet, by one process at a time. An interrupted build leaves no entry.
    """
    cache.mkdir(parents=True, exist_ok=True)
    entry = cache / cluster_key()
    with (cache / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        # Changing the kind of a lock lets others in between.
        while not entry.exists():
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not entry.exists():
                _build(entry, build)
            fcntl.flock(lock, fcntl.LOCK_SH)
        os.utime(entry)
        yield entry


def _build(entry: Path, build: Callable[[Path], None]) -> None:
    """Under the exclusive lock, so nobody copies an entry that is removed here."""
    for leftover in entry.parent.glob("build-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    with TemporaryDirectory(prefix="build-", dir=entry.parent, ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # root's PostgreSQL runs as another user, who has to enter it
        build(Path(folder))
        data = Path(folder) / "data"
        if (data / "postmaster.pid").exists():
            raise StackError(f"PostgreSQL was not shut down cleanly, so {data} cannot be copied.")
        data.rename(entry)
    entries = [path for path in entry.parent.iterdir() if path.is_dir() and path != entry]
    for path in sorted(entries, key=lambda path: path.stat().st_mtime, reverse=True)[_ENTRIES_KEPT - 1 :]:
        shutil.rmtree(path, ignore_errors=True)
