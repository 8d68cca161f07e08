"""One platform process and one real CLI for the whole session, started when a test asks for them."""

from collections.abc import Iterator

import pytest

from tests.platform.live import NODE_MODULES, Cli, LivePlatform


@pytest.fixture(scope="session")
def platform_with_cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LivePlatform, Cli]]:
    if not (NODE_MODULES / ".bin" / "trigger").exists():
        pytest.fail(f"{NODE_MODULES} is missing: run `make install`")
    directory = tmp_path_factory.mktemp("platform")
    platform = LivePlatform(directory)
    try:
        cli = Cli(platform, directory)
        try:
            yield platform, cli
        finally:
            cli.stop()
    finally:
        platform.stop()


@pytest.fixture
def live(platform_with_cli: tuple[LivePlatform, Cli]) -> LivePlatform:
    """The platform with the CLI connected: what is triggered gets executed."""
    return platform_with_cli[0]


@pytest.fixture
def cli(platform_with_cli: tuple[LivePlatform, Cli]) -> Cli:
    return platform_with_cli[1]
