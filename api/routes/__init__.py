"""The endpoints, one file per noun. A route: typed body → AuthContext → one RPC → typed result.

Four kinds of routes call more: the configs of a blueprint are checked against the published steps, an upload
is appended in chunks, an export is read in pages, and a created run is started at Trigger.dev.
"""

from typing import Any

from api.models.envelope import ErrorBody

_MEANINGS = {
    401: "The credential is missing or not valid.",
    403: "The caller may not do this.",
    404: "It does not exist, or the caller cannot see it.",
    409: "The request conflicts with the current state.",
    408: "The body arrived too slowly.",
    413: "The body is too large.",
    415: "The body has the wrong type.",
    422: "The request is malformed.",
    429: "Too many requests.",
    500: "A defect of the service; report it with the request id.",
    503: "A dependency is down; try again after `Retry-After` seconds.",
    504: "The request took the database too long; ask for less at once.",
}

# Shown at every operation of the OpenAPI document.
ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": meaning} for status, meaning in _MEANINGS.items()
}
ERROR_RESPONSES[429]["headers"] = {
    "Retry-After": {"description": "Seconds to wait.", "schema": {"type": "integer"}},
    "RateLimit-Policy": {
        "description": "The limit: `q` requests in `w` seconds, that of the credential or of its org.",
        "schema": {"type": "string"},
        "example": '"requests";q=250;w=5',
    },
    "RateLimit": {
        "description": "What is left: `r` requests, and the limit is whole again after `t` seconds.",
        "schema": {"type": "string"},
        "example": '"requests";r=0;t=5',
    },
}
