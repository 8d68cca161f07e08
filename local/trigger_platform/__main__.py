"""`python -m local.trigger_platform --host 127.0.0.1 --port 54323`"""

import argparse
import sys
from types import FrameType

import uvicorn
from pydantic import ValidationError

from local.trigger_platform.http import create_app
from local.trigger_platform.platform import Platform
from local.trigger_platform.settings import Settings


class Server(uvicorn.Server):
    """Ends the requests on hold as soon as it is asked to stop; uvicorn would wait for them."""

    def __init__(self, config: uvicorn.Config, platform: Platform) -> None:
        super().__init__(config)
        self._platform = platform

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self._platform.close()


def main() -> int:
    parser = argparse.ArgumentParser(prog="local.trigger_platform", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=54323)
    parser.add_argument("--log-level", default="info")
    arguments = parser.parse_args()
    try:
        settings = Settings()
        public_url = settings.trigger_public_url or f"http://{arguments.host}:{arguments.port}"
        platform = Platform(settings, str(public_url).rstrip("/"))
    except (ValidationError, ValueError, OSError) as error:
        print(f"The Trigger.dev platform cannot start: {error}", file=sys.stderr)
        return 2
    config = uvicorn.Config(
        create_app(platform),
        host=arguments.host,
        port=arguments.port,
        log_level=arguments.log_level,
        access_log=False,
        # Longer than clients keep idle connections, so that none is closed while a request is on its way.
        timeout_keep_alive=75,
        timeout_graceful_shutdown=2,
    )
    Server(config, platform).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
