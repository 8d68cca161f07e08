"""Ids in Trigger.dev's form: bare inside the platform, with a prefix such as `run_` outside."""

import secrets
import string

_ALPHABET = string.ascii_lowercase + string.digits


def new_id() -> str:
    """Return a cuid-shaped id: `c` and 24 characters."""
    return "c" + "".join(secrets.choice(_ALPHABET) for _ in range(24))


def friendly(kind: str, bare_id: str) -> str:
    return f"{kind}_{bare_id}"


def bare(friendly_id: str) -> str:
    """Return the id without its prefix, if it has one."""
    return friendly_id.rpartition("_")[2]


def new_traceparent(parent: str | None = None) -> tuple[str, str]:
    """Return (traceparent, span id) of a new run, in the trace of its parent if it has one."""
    trace_id = secrets.token_hex(16)
    if parent and len(parts := parent.split("-")) == 4:
        trace_id = parts[1]
    span_id = secrets.token_hex(8)
    return f"00-{trace_id}-{span_id}-01", span_id
