"""A stack has its own secrets, keeps them, and lets only their owner read them."""

import stat
from dataclasses import asdict
from pathlib import Path

import pytest

from local.credentials import load_or_create
from local.errors import StackError


def test_two_folders_share_no_secret(tmp_path: Path) -> None:
    first = asdict(load_or_create(tmp_path / "first.json"))
    second = asdict(load_or_create(tmp_path / "second.json"))
    assert set(first.values()).isdisjoint(second.values())


def test_the_secrets_of_a_folder_are_made_once(tmp_path: Path) -> None:
    assert load_or_create(tmp_path / "credentials.json") == load_or_create(tmp_path / "credentials.json")


def test_only_their_owner_may_read_the_secrets(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    load_or_create(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_of_another_shape_is_refused_rather_than_replaced(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    path.write_text('{"jwt_secret": "kept"}')
    with pytest.raises(StackError, match="start afresh"):
        load_or_create(path)
    assert path.read_text() == '{"jwt_secret": "kept"}'
