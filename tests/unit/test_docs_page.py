"""The interactive reference comes from the API itself, under a policy that lets nothing else in."""

from __future__ import annotations

import re

import pytest
from fastapi.testclient import TestClient

POLICY = "Content-Security-Policy"


@pytest.fixture
def page(client: TestClient) -> str:
    answer = client.get("/docs", headers={"Authorization": ""})
    assert answer.status_code == 200
    return str(answer.text)


def test_the_root_leads_to_the_reference(client: TestClient) -> None:
    answer = client.get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (307, "/docs")


def test_everything_that_the_page_loads_is_served_here(client: TestClient, page: str) -> None:
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page)
    kinds = {".js": "text/javascript", ".css": "text/css", ".png": "image/png"}
    assert {path[path.rindex(".") :] for path in loaded} == set(kinds)
    for path in loaded:
        assert path.startswith("/docs/")
        answer = client.get(path)
        assert answer.status_code == 200, path
        assert answer.headers["Content-Type"].startswith(kinds[path[path.rindex(".") :]])


def test_the_policy_allows_no_inline_script_and_no_other_origin(client: TestClient, page: str) -> None:
    policy = client.get("/docs").headers[POLICY]
    directives = dict(part.split(" ", 1) for part in policy.split("; "))
    assert directives["default-src"] == "'none'"
    assert directives["script-src"] == directives["connect-src"] == "'self'"
    assert "http" not in policy
    assert re.findall(r"<script(?![^>]* src=)", page) == []
    assert re.findall(r"\son\w+=", page) == []


def test_the_page_shows_the_document_of_this_api(client: TestClient) -> None:
    assert 'url: "/openapi.json"' in client.get("/docs/start.js").text
    assert client.get("/openapi.json").status_code == 200


def test_no_other_file_of_the_package_is_served(client: TestClient) -> None:
    for path in ("/docs/assets/../core.py", "/docs/assets/%2e%2e/core.py", "/docs/assets/", "/redoc"):
        assert client.get(path).status_code == 404, path
