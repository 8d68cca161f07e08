"""Structured logs on stdout: one JSON object a line, with the facts that are known about its request."""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

# One object per request, so that facts noted deep inside are also in the access log line.
_request: ContextVar[dict[str, str | None]] = ContextVar("request")


def begin_request(request_id: str) -> None:
    _request.set({"request_id": request_id})


def note(**facts: str | None) -> None:
    """Adds facts such as trace, org or pipeline run to every further line of the request, but no content."""
    _request.get({}).update(facts)


def noted() -> dict[str, str | None]:
    """The facts noted for the current request; empty outside a request."""
    return _request.get({})


def current_request_id() -> str | None:
    return noted().get("request_id")


class JsonFormatter(logging.Formatter):
    """Adds the fields of `extra={"fields": {...}}` to the line."""

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
    # middleware.py writes the access log.
    logging.getLogger("uvicorn.access").disabled = True
