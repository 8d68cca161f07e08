"""The endpoints, one file per noun. A route: typed body → AuthContext → one writing RPC → typed result.

More calls are made where SQL cannot do it in one: a blueprint's configs are checked against the published
steps first, an upload is appended in chunks, an export is read in pages, and a run is handed to Trigger.dev.
"""

from typing import Any

from api.models.envelope import ErrorBody

_MEANINGS = {
    401: "No credential, or one that is not valid.",
    403: "The caller may not do this.",
    404: "There is no such thing that the caller can see.",
    409: "It conflicts with the present state.",
    413: "The body is too large.",
    415: "The body has the wrong type.",
    422: "The request is malformed.",
    429: "Too many requests.",
    500: "Our defect; quote the request id.",
    503: "A dependency is down; try again after `Retry-After` seconds.",
}

# The error model on every operation of the OpenAPI document.
ERROR_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": ErrorBody, "description": meaning} for status, meaning in _MEANINGS.items()
}
