"""The tools that the stack needs: a recent Node.js, and the npm packages."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

from local.errors import StackError

_OLDEST_NODE = (20, 19)


def check_tools(npm_folders: Iterable[Path]) -> None:
    """Raises StackError if Node.js is missing or too old, or a folder's npm packages are not installed."""
    wanted = ".".join(map(str, _OLDEST_NODE))
    node = shutil.which("node")
    if node is None:
        raise StackError(f"Node.js is missing. Install Node.js {wanted} or newer and try again.")
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout.strip()
    if tuple(int(part) for part in version.removeprefix("v").split(".")[:2]) < _OLDEST_NODE:
        raise StackError(f"Node.js {version} is too old. Install Node.js {wanted} or newer and try again.")
    for folder in npm_folders:
        if not (folder / "node_modules").is_dir():
            raise StackError(f"The npm packages of {folder} are missing. Run `make install` and try again.")
