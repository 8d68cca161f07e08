"""Structured logs on stdout: one JSON object a line, each with what is known of the request it belongs to."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

# One object for the whole request, so that what is found out deep inside is also in the lines of its end.
_request: ContextVar[dict[str, str | None]] = ContextVar("request")


def begin_request(request_id: str) -> None:
    _request.set({"request_id": request_id})


def note(**facts: str | None) -> None:
    """Adds to every further line of the request: its trace, org or pipeline run, never what was sent."""
    _request.get({}).update(facts)


def noted() -> dict[str, str | None]:
    """What the lines of the request say of it; nothing outside of one."""
    return _request.get({})


def current_request_id() -> str | None:
    return noted().get("request_id")


class JsonFormatter(logging.Formatter):
    """Fields given as `extra={"fields": {...}}` join the line beside time, level, logger and message."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": None,
            **noted(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


def configure_logs(level: str) -> None:
    """Sends every logger of the process, uvicorn's included, through the JSON formatter."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = True
    # The access log is ours: middleware.py.
    logging.getLogger("uvicorn.access").disabled = True
