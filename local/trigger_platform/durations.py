"""Durations and dates as callers write them: `10m`, `1h30m`, `2026-11-21T20:43:46Z`."""

import re
from datetime import UTC, datetime, timedelta

_UNITS = {"w": 604_800, "d": 86_400, "hr": 3_600, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"^(?:\d+(?:w|d|hr|h|m|s))+$")
_PART = re.compile(r"(\d+)(w|d|hr|h|m|s)")


def parse_duration(text: str) -> timedelta | None:
    """Return the duration, or None if the text is not one."""
    if len(text) > 100 or not _DURATION.match(text):
        return None
    return timedelta(seconds=sum(int(number) * _UNITS[unit] for number, unit in _PART.findall(text)))


def format_duration(seconds: int) -> str | None:
    """Return `1h30m` for 5400. Zero is no duration."""
    parts = []
    for unit in ("w", "d", "h", "m", "s"):
        count, seconds = divmod(seconds, _UNITS[unit])
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or None


def parse_moment(text: str, now: datetime) -> datetime | None:
    """Return the moment that a duration from now, or a date, names. None if the text is neither."""
    duration = parse_duration(text)
    if duration is not None:
        return now + duration
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
