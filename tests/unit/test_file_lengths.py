"""A long file holds more than one concept, so the files of the product have a limit."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_LINES = 400
SUFFIXES = {".py", ".sql", ".ts", ".mjs"}


def sources(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name != "node_modules":
            yield from sources(path)
        elif path.suffix in SUFFIXES:
            yield path


@pytest.mark.parametrize("folder", ["api", "local", "supabase/migrations", "trigger/src"])
def test_no_file_is_longer_than_400_lines(folder: str) -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in sources(ROOT / folder)}
    assert lengths
    assert {str(path): lines for path, lines in lengths.items() if lines > MAX_LINES} == {}
