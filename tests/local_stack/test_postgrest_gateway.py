"""With POSTGREST_BIN, that PostgREST is the Data API, behind the gateway rules of hosted Supabase."""

import json
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import psycopg
import pytest

from local.stack import running_stack
from local.supabase_server import FOLDER
from tests.local_stack import fake_postgrest
from tests.support.stack import free_port_base


@dataclass(frozen=True)
class Gateway:
    variables: dict[str, str]
    port_base: int
    record: Path

    def entries(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.record.read_text().splitlines()]

    def call(
        self, headers: dict[str, str], path: str = "/rpc/probe", content: Iterable[bytes] = ()
    ) -> httpx.Response:
        url = f"{self.variables['SUPABASE_URL']}/rest/v1{path}"
        return httpx.post(url, headers=headers, timeout=20, content=content)

    def claims_sent(self) -> dict[str, Any]:
        """The claims of the token that the last request carried to PostgREST."""
        token = self.entries()[-1]["headers"]["authorization"].removeprefix("Bearer ")
        claims: dict[str, Any] = jwt.decode(
            token, self.variables["SUPABASE_JWT_SECRET"], algorithms=["HS256"]
        )
        return claims


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    directory = tmp_path_factory.mktemp("gateway")
    executable = directory / "postgrest.py"
    executable.write_text(f"#!{sys.executable}\n{Path(fake_postgrest.__file__).read_text()}")
    executable.chmod(0o755)
    port_base = free_port_base()
    environment = {"POSTGREST_BIN": str(executable)}
    with running_stack(directory, port_base, only="supabase", environment=environment) as variables:
        yield Gateway(variables, port_base, executable.with_suffix(".jsonl"))


def user_token() -> str:
    """A token signed with an unknown key: PostgREST verifies it, not the gateway."""
    return jwt.encode({"role": "authenticated", "sub": "x"}, "k" * 32, algorithm="HS256")


def test_postgrest_is_configured_by_its_own_variables(gateway: Gateway) -> None:
    configured = gateway.entries()[0]
    with psycopg.connect(configured.pop("PGRST_DB_URI")) as connection:
        assert connection.execute("select session_user").fetchone() == ("authenticator",)
    assert configured == {
        "PGRST_DB_SCHEMAS": "public,worker",
        "PGRST_DB_EXTRA_SEARCH_PATH": "public,extensions",
        "PGRST_DB_MAX_ROWS": "1000",
        "PGRST_DB_ANON_ROLE": "anon",
        "PGRST_JWT_SECRET": gateway.variables["SUPABASE_JWT_SECRET"],
        "PGRST_SERVER_HOST": "127.0.0.1",
        "PGRST_SERVER_PORT": str(gateway.port_base + 4),
        "PGRST_ADMIN_SERVER_PORT": str(gateway.port_base + 5),
    }


@pytest.mark.parametrize(
    ("key", "role"), [("SUPABASE_PUBLISHABLE_KEY", "anon"), ("SUPABASE_SECRET_KEY", "service_role")]
)
@pytest.mark.parametrize("repeated", [False, True], ids=["key_alone", "key_repeated_as_bearer"])
def test_a_key_becomes_a_short_token_of_its_role(
    gateway: Gateway, key: str, role: str, repeated: bool
) -> None:
    value = gateway.variables[key]
    headers = {"apikey": value, **({"Authorization": f"Bearer {value}"} if repeated else {})}
    assert gateway.call(headers).status_code == 200
    claims = gateway.claims_sent()
    assert claims["role"] == role
    assert 0 < claims["exp"] - time.time() <= 60


def test_a_users_token_passes_unchanged_and_the_key_stays_behind(gateway: Gateway) -> None:
    token = user_token()
    key = gateway.variables["SUPABASE_PUBLISHABLE_KEY"]
    profile = {"Content-Profile": "worker"}
    answer = gateway.call(
        {"apikey": key, "Authorization": f"Bearer {token}", **profile}, "/companies?id=eq.1"
    )
    assert answer.headers["content-range"] == "0-0/1"
    sent = gateway.entries()[-1]
    assert sent["path"] == "/companies?id=eq.1"
    assert sent["headers"]["authorization"] == f"Bearer {token}"
    assert sent["headers"]["content-profile"] == "worker"
    assert "apikey" not in sent["headers"]


def test_a_key_in_the_query_counts_and_is_not_passed_on(gateway: Gateway) -> None:
    key = gateway.variables["SUPABASE_SECRET_KEY"]
    assert gateway.call({}, f"/companies?apikey={key}&id=eq.1").status_code == 200
    assert gateway.entries()[-1]["path"] == "/companies?id=eq.1"
    assert gateway.claims_sent()["role"] == "service_role"


@pytest.mark.parametrize("headers", [{}, {"apikey": "sb_secret_wrong"}, {"apikey": "toString"}])
def test_a_request_without_a_valid_key_stops_at_the_gateway(
    gateway: Gateway, headers: dict[str, str]
) -> None:
    before = len(gateway.entries())
    assert gateway.call({**headers, "Authorization": f"Bearer {user_token()}"}).status_code == 401
    assert len(gateway.entries()) == before


def test_large_bodies_pass_both_ways(gateway: Gateway) -> None:
    body = b"x" * 5_000_000
    chunks = (body[start : start + 65536] for start in range(0, len(body), 65536))
    answer = gateway.call({"apikey": gateway.variables["SUPABASE_SECRET_KEY"]}, content=chunks)
    assert answer.content == body
    assert gateway.entries()[-1]["body_bytes"] == len(body)


def test_an_answer_is_streamed(gateway: Gateway) -> None:
    key = {"apikey": gateway.variables["SUPABASE_SECRET_KEY"]}
    url = f"{gateway.variables['SUPABASE_URL']}/rest/v1/rpc/stream"
    with httpx.stream("POST", url, headers=key, timeout=20) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "first"
        gateway.call(key, "/rpc/release")
        assert next(lines) == "rest"


def test_a_postgrest_that_does_not_answer_is_a_503(gateway: Gateway) -> None:
    answer = gateway.call({"apikey": gateway.variables["SUPABASE_SECRET_KEY"]}, "/rpc/hang_up")
    assert answer.status_code == 503


def test_auth_stays_with_the_stand_in(gateway: Gateway) -> None:
    before = len(gateway.entries())
    answer = httpx.post(
        f"{gateway.variables['SUPABASE_URL']}/auth/v1/signup",
        headers={"apikey": gateway.variables["SUPABASE_PUBLISHABLE_KEY"]},
        json={"email": "ada@example.com", "password": "correct horse"},
    )
    assert answer.status_code == 200
    assert len(gateway.entries()) == before


def test_a_postgrest_that_does_not_end_when_it_is_told_to_is_killed(tmp_path: Path) -> None:
    deaf, listening = tmp_path / "deaf", tmp_path / "listening"
    deaf.write_text(f"#!/bin/sh\ntrap '' TERM\ntouch {listening}\nwhile :; do sleep 0.1; done\n")
    deaf.chmod(0o755)
    program = f"""
        import {{ existsSync }} from "node:fs";
        import {{ startGateway }} from {json.dumps(str(FOLDER / "postgrest-gateway.mjs"))};
        const api = {{ schemas: [], extra_search_path: [], max_rows: 1 }};
        const gateway = startGateway({{ bin: {json.dumps(str(deaf))}, api, keys: {{}} }});
        while (!existsSync({json.dumps(str(listening))})) await new Promise((go) => setTimeout(go, 20));
        await gateway.stop();
    """
    subprocess.run(["node", "--input-type=module", "-e", program], timeout=9, check=True)
