"""The stack's commands as a person types them."""

from __future__ import annotations

from pathlib import Path

from local.settings import DEFAULT_DIRECTORY

PYTHON = ".venv/bin/python"


def local_command(name: str, directory: Path) -> str:
    """A call of the command line for the stack in `directory`."""
    option = "" if directory == DEFAULT_DIRECTORY else f" --dir {directory}"
    return f"{PYTHON} -m local {name}{option}"


def start_command(name: str, directory: Path, port_base: int | None = None) -> str:
    """`up` or `demo`. Without a port base, the stack takes that of the last time."""
    if directory == DEFAULT_DIRECTORY:
        return f"make {name}" + (f" PORT_BASE={port_base}" if port_base else "")
    return local_command(name, directory) + (f" --port-base {port_base}" if port_base else "")
