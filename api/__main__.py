"""The server of the API: `python -m api --host 0.0.0.0 --port 8000`.

It is uvicorn with limits on connections (`api.connections`). A proxy in front of it must be named in
FORWARDED_ALLOW_IPS, so that limits by address see the address of the client.
"""

import argparse
import resource

import uvicorn

from api.connections import BoundedProtocol, ConnectionLimits, OpenConnections

# Files and connections to other services.
RESERVED_DESCRIPTORS = 256
SHUTDOWN_SECONDS = 30


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m api", description="Serve the API.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    arguments = parser.parse_args()
    limits = ConnectionLimits(at_once=_most_connections(ConnectionLimits().at_once))
    BoundedProtocol.open_connections = OpenConnections(limits)
    uvicorn.run(
        "api.main:app",
        host=arguments.host,
        port=arguments.port,
        http=BoundedProtocol,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
    )


def _most_connections(wanted: int) -> int:
    """Each connection needs a descriptor; a process without a free one accepts nobody."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < wanted + RESERVED_DESCRIPTORS:
        soft = min(hard, wanted + RESERVED_DESCRIPTORS) if hard > 0 else wanted + RESERVED_DESCRIPTORS
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return max(1, min(wanted, soft - RESERVED_DESCRIPTORS))


if __name__ == "__main__":
    main()
