"""Values of the header traceparent, which the API and the database read alike."""

from __future__ import annotations

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"

# Each with whether its trace is recorded, or None if it has not the form that W3C Trace Context defines.
TRACEPARENTS: list[tuple[str, bool | None]] = [
    (TRACEPARENT, True),
    (f"00-{TRACE}-{PARENT}-00", False),
    (f"00-{TRACE}-{PARENT}-03", True),
    (f"00-{TRACE}-{PARENT}-fe", False),
    # A later version of the header, which may add a part at the end.
    (f"cc-{TRACE}-{PARENT}-01", True),
    (f"cc-{TRACE}-{PARENT}-01-what-the-future-holds", True),
    (f"cc-{TRACE}-{PARENT}-01.what", None),
    (f"00-{TRACE}-{PARENT}-01-what", None),
    (f"00-{TRACE}-{PARENT}-01-", None),
    (f"ff-{TRACE}-{PARENT}-01", None),
    (f"00-{'0' * 32}-{PARENT}-01", None),
    (f"00-{TRACE}-{'0' * 16}-01", None),
    (f"00-{TRACE.upper()}-{PARENT}-01", None),
    (f"00-{TRACE[1:]}-{PARENT}-01", None),
    (f"00-{TRACE}-{PARENT}-1", None),
    (f"00-{TRACE}-{PARENT}", None),
    (f" {TRACEPARENT}", None),
    (f"{TRACEPARENT}\n", None),
    (f"{TRACEPARENT},{TRACEPARENT}", None),
    (f"{TRACEPARENT}, {TRACEPARENT}", None),
    (f"cc-{TRACE}-{PARENT}-01-{'x' * 500}", None),
    ("'; drop table public.orgs; --", None),
    ("", None),
]
