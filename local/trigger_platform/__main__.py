"""`python -m local.trigger_platform --port N`"""

import argparse
import sys
from types import FrameType

import uvicorn
from pydantic import ValidationError

from local.trigger_platform.app import create_app
from local.trigger_platform.platform import Platform
from local.trigger_platform.settings import Settings


class Server(uvicorn.Server):
    """Ends held requests as soon as it is told to stop; uvicorn would wait for them."""

    def __init__(self, config: uvicorn.Config, platform: Platform) -> None:
        super().__init__(config)
        self._platform = platform

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._platform.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="local.trigger_platform", description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    port = parser.parse_args().port
    try:
        platform = Platform(Settings(), f"http://127.0.0.1:{port}")
    except (ValidationError, ValueError, OSError) as error:
        print(f"The Trigger.dev platform cannot start: {error}", file=sys.stderr)
        return 2
    config = uvicorn.Config(
        create_app(platform),
        host="127.0.0.1",
        port=port,
        access_log=False,
        # Longer than clients keep idle connections: closing one first could lose a request on its way.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    Server(config, platform).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
