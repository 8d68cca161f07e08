"""The Data API behaves as PostgREST does wherever the product relies on it."""

import json
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import jwt
import psycopg
import pytest

from tests.support.stack import StackEnvironment, free_port_base

PROBES = """
create function public.probe_caller() returns jsonb language sql stable set search_path = '' as $$
  select jsonb_build_object(
    'current_user', current_user,
    'session_user', session_user,
    'statement_timeout', current_setting('statement_timeout'),
    'uid', auth.uid(),
    'claims', nullif(current_setting('request.jwt.claims', true), '')::jsonb
  )
$$;
create function public.probe_refusal() returns jsonb language plpgsql set search_path = '' as $$
begin
  raise exception using errcode = 'PT409', message = 'It is taken.', hint = 'conflict', detail = '{"id": 1}';
end
$$;
create function public.probe_echo(p_value jsonb, p_names text[] default null) returns jsonb
language sql set search_path = '' as $$
  select jsonb_build_object('value', p_value, 'type', jsonb_typeof(p_value), 'names', p_names)
$$;
grant execute on function public.probe_caller, public.probe_refusal, public.probe_echo
  to anon, authenticated, service_role;
create table public.probe_rows (id int primary key, open text, closed text);
alter table public.probe_rows enable row level security;
revoke all on public.probe_rows from anon, authenticated, service_role;
grant select (id, open), insert (id, open) on public.probe_rows to authenticated;
create policy probe_rows_all on public.probe_rows for all to authenticated using (true) with check (id < 100);
"""
DROP = """
drop function public.probe_caller, public.probe_refusal, public.probe_echo;
drop table public.probe_rows;
"""


@dataclass(frozen=True)
class DataApi:
    client: httpx.Client
    environment: StackEnvironment

    def post(self, path: str, body: object, key: str | None = None, **claims: object) -> httpx.Response:
        headers = {"apikey": key or self.environment.publishable_key}
        if claims:
            token = jwt.encode(
                {"exp": int(time.time()) + 60, **claims}, self.environment.jwt_secret, algorithm="HS256"
            )
            headers["Authorization"] = f"Bearer {token}"
        return self.client.post(path, json=body, headers=headers)

    def rpc(self, name: str, body: object = None, key: str | None = None, **claims: object) -> httpx.Response:
        return self.post(f"/rpc/{name}", body or {}, key, **claims)


@pytest.fixture(scope="module")
def data_api(supabase: StackEnvironment) -> Iterator[DataApi]:
    with (
        psycopg.connect(supabase.database_url, autocommit=True) as connection,
        httpx.Client(base_url=f"{supabase.supabase_url}/rest/v1", timeout=30) as client,
    ):
        connection.execute(PROBES)
        api = DataApi(client, supabase)
        deadline = time.monotonic() + 10
        while api.rpc("probe_caller").status_code == 404:  # until it has reloaded the schema
            assert time.monotonic() < deadline
        try:
            yield api
        finally:
            connection.execute(DROP)


def caller(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    seen: dict[str, Any] = answer.json()
    # The login role and the time limit of hosted Supabase's Data API. PostgREST applies anon's own limit.
    assert seen.pop("session_user") == "authenticator"
    assert seen.pop("statement_timeout") in {"8s", "3s" if seen["current_user"] == "anon" else "8s"}
    return seen


def test_the_keys_stand_for_their_roles(data_api: DataApi) -> None:
    anonymous = caller(data_api.rpc("probe_caller"))
    service = caller(data_api.rpc("probe_caller", key=data_api.environment.secret_key))
    for seen in (anonymous, service):
        # A gateway in front of PostgREST turns a key into a short-lived token.
        seen["claims"] = {name: claim for name, claim in seen["claims"].items() if name not in ("iat", "exp")}
    assert anonymous == {"current_user": "anon", "uid": None, "claims": {"role": "anon"}}
    assert service == {"current_user": "service_role", "uid": None, "claims": {"role": "service_role"}}


def test_every_claim_of_a_token_reaches_the_database(data_api: DataApi) -> None:
    sub = "01a2000d-0ac8-73c4-b4f9-638f96a2a02d"
    session = caller(data_api.rpc("probe_caller", role="authenticated", sub=sub))
    token = caller(data_api.rpc("probe_caller", role="authenticated", api_token_hash="ab" * 32))
    assert (session["current_user"], session["uid"]) == ("authenticated", sub)
    assert (token["current_user"], token["uid"]) == ("authenticated", None)
    assert token["claims"]["api_token_hash"] == "ab" * 32


@pytest.mark.parametrize("role", ["postgres", "supabase_admin"])
def test_a_token_cannot_name_a_role_beyond_the_api_roles(data_api: DataApi, role: str) -> None:
    answer = data_api.rpc("probe_caller", role=role)
    assert (answer.status_code, answer.json()["code"]) == (403, "42501")


def test_an_expired_token_and_one_of_another_secret_are_refused(data_api: DataApi) -> None:
    assert data_api.rpc("probe_caller", role="authenticated", exp=int(time.time()) - 60).status_code == 401
    forged = jwt.encode({"role": "service_role", "exp": int(time.time()) + 60}, "k" * 32, algorithm="HS256")
    headers = {"apikey": data_api.environment.publishable_key, "Authorization": f"Bearer {forged}"}
    assert data_api.client.post("/rpc/probe_caller", json={}, headers=headers).status_code == 401


def test_a_request_without_a_valid_key_is_refused(data_api: DataApi) -> None:
    assert data_api.client.post("/rpc/probe_caller", json={}).status_code == 401
    assert data_api.rpc("probe_caller", key="sb_secret_wrong").status_code == 401


def test_a_raised_refusal_arrives_whole(data_api: DataApi) -> None:
    answer = data_api.rpc("probe_refusal")
    assert answer.status_code == 409
    assert answer.json() == {
        "code": "PT409",
        "message": "It is taken.",
        "hint": "conflict",
        "details": '{"id": 1}',
    }


@pytest.mark.parametrize(
    ("value", "kind"), [({"a": {"b": [1, "é", None]}}, "object"), ([{"id": "1"}], "array"), ([], "array")]
)
def test_json_arguments_arrive_as_json(data_api: DataApi, value: object, kind: str) -> None:
    answer = data_api.rpc("probe_echo", {"p_value": value, "p_names": ['a,"b"', "{}"]})
    assert answer.json() == {"value": value, "type": kind, "names": ['a,"b"', "{}"]}


def test_a_body_of_several_megabytes_passes(data_api: DataApi) -> None:
    records = [{"id": str(number), "data": {"text": "x" * 4_000}} for number in range(1, 1_001)]
    answer = data_api.rpc("probe_echo", {"p_value": records})
    assert answer.json()["value"] == records


DATA_API_WITHOUT_ITS_DATABASE = """
import { startDataApi } from "./lite.mjs";
const { url, catalogueUrl, jwtSecret, publishableKey } = JSON.parse(process.argv.at(-1));
const config = {
  api: { schemas: ["public"], extra_search_path: ["public"], max_rows: 1000 },
  auth: { jwt_secret: jwtSecret, publishable_key: publishableKey },
  db: { migrations: { enabled: false } },
};
const dataApi = await startDataApi({ url, catalogueUrl, config });
const headers = { apikey: publishableKey, "content-type": "application/json" };
const body = { method: "POST", headers, body: "{}" };
const answer = await dataApi.fetch(new Request("http://localhost/rest/v1/rpc/probe_caller", body));
console.log(JSON.stringify({ status: answer.status, code: (await answer.json()).code }));
process.exit();
"""


def test_an_unreachable_database_is_a_503(data_api: DataApi) -> None:
    environment = data_api.environment
    settings = {
        "url": f"postgres://authenticator:x@127.0.0.1:{free_port_base()}/postgres",
        "catalogueUrl": environment.database_url,
        "jwtSecret": environment.jwt_secret,
        "publishableKey": environment.publishable_key,
    }
    answer = subprocess.run(
        ["node", "--input-type=module", "-e", DATA_API_WITHOUT_ITS_DATABASE, json.dumps(settings)],
        cwd=Path(__file__).parents[2] / "local" / "supabase",
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert json.loads(answer.stdout) == {"status": 503, "code": "PGRST000"}


def test_concurrent_requests_do_not_see_each_other(data_api: DataApi) -> None:
    def ask(number: int) -> bool:
        claims = {"role": "authenticated", "api_token_hash": f"{number:064}"}
        seen = caller(data_api.rpc("probe_caller", **claims))["claims"]
        return bool(seen["api_token_hash"] == claims["api_token_hash"])

    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(ask, range(100)))


def test_grants_and_policies_are_those_of_the_migrations(data_api: DataApi) -> None:
    def insert(row: dict[str, object]) -> tuple[int, str | None]:
        answer = data_api.post("/probe_rows", row, role="authenticated")
        return answer.status_code, answer.json()["code"] if answer.content else None

    assert insert({"id": 1, "open": "x"}) == (201, None)
    assert insert({"id": 1, "open": "x"}) == (409, "23505")
    assert insert({"id": 2, "closed": "x"}) == (403, "42501")
    assert insert({"id": 200, "open": "x"}) == (403, "42501")
    assert data_api.post("/probe_rows", {"id": 3, "open": "x"}).status_code == 401
