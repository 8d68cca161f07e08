"""A new stack starts from a copy of a cluster that was migrated once."""

from __future__ import annotations

import multiprocessing
import os
import shutil
import subprocess
import time
from pathlib import Path

import psycopg
import pytest

from local.cluster_cache import CACHE, cluster_key, migrated_cluster
from local.errors import StackError
from local.settings import ROOT
from local.supabase_cli import migration_up
from tests.support.stack import StackEnvironment

ENTRIES_KEPT = 3


def build(directory: Path) -> None:
    with (directory.parent / "builds.log").open("a") as log:
        log.write("built\n")
    time.sleep(0.3)  # long enough for another process to come
    (directory / "data").mkdir()
    (directory / "data" / "PG_VERSION").write_text("17")


def use(cache: Path) -> None:
    with migrated_cluster(build, cache) as cluster:
        assert (cluster / "PG_VERSION").read_text() == "17"


def builds(cache: Path) -> int:
    return len((cache / "builds.log").read_text().splitlines())


def entries(cache: Path) -> set[str]:
    return {path.name for path in cache.iterdir() if path.is_dir()}


def test_processes_that_come_at_once_build_one_cluster(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=use, args=(tmp_path,)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert builds(tmp_path) == 1


def test_a_build_that_fails_leaves_no_entry_and_is_made_again(tmp_path: Path) -> None:
    def fail(directory: Path) -> None:
        (directory / "data").mkdir()
        raise StackError("The migrations failed.")

    with pytest.raises(StackError, match="migrations"), migrated_cluster(fail, tmp_path):
        pass
    assert entries(tmp_path) == set()
    use(tmp_path)
    assert entries(tmp_path) == {cluster_key()}


def test_what_a_killed_build_left_is_removed_by_the_next(tmp_path: Path) -> None:
    (tmp_path / "build-killed" / "data").mkdir(parents=True)
    use(tmp_path)
    assert entries(tmp_path) == {cluster_key()}


def test_a_cluster_whose_server_was_not_shut_down_is_no_entry(tmp_path: Path) -> None:
    def crash(directory: Path) -> None:
        build(directory)
        (directory / "data" / "postmaster.pid").write_text("1\n")

    with pytest.raises(StackError, match="shut down"), migrated_cluster(crash, tmp_path):
        pass
    assert entries(tmp_path) == set()


def test_the_entries_that_were_used_last_are_kept(tmp_path: Path) -> None:
    for age in range(1, 6):
        (tmp_path / f"older-{age}").mkdir()
        os.utime(tmp_path / f"older-{age}", (time.time() - age, time.time() - age))
    use(tmp_path)
    assert entries(tmp_path) == {cluster_key(), *(f"older-{age}" for age in range(1, ENTRIES_KEPT))}
    use(tmp_path)
    assert builds(tmp_path) == 1


@pytest.mark.parametrize(
    "changed",
    [
        "supabase/migrations/20991231000000_more.sql",
        "local/supabase/roles.sql",
        "local/supabase/auth.sql",
        "local/supabase/postgres.mjs",
        "local/supabase/package-lock.json",
    ],
)
def test_a_change_of_what_shapes_a_cluster_asks_for_a_new_one(tmp_path: Path, changed: str) -> None:
    for folder in ("supabase/migrations", "local/supabase"):
        ignored = shutil.ignore_patterns("node_modules")
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=ignored)
    shutil.copy(ROOT / "supabase.toml", tmp_path)
    before = cluster_key(tmp_path)
    with (tmp_path / changed).open("a") as file:
        file.write("\n")
    assert cluster_key(tmp_path) != before


def test_a_copy_has_every_migration(supabase: StackEnvironment) -> None:
    command = migration_up(supabase.database_url)
    finished = subprocess.run(
        command.arguments,
        cwd=command.cwd,
        env={**os.environ, **command.environment},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "up to date" in finished.stdout + finished.stderr
    with psycopg.connect(supabase.database_url) as connection:
        rows = connection.execute("select version from supabase_migrations.schema_migrations").fetchall()
    files = (ROOT / "supabase" / "migrations").rglob("*.sql")
    assert {row[0] for row in rows} == {path.name.partition("_")[0] for path in files}


@pytest.mark.skipif("TEST_AGAINST_SERVICES" in os.environ, reason="the database is a service of its own")
def test_the_cache_holds_no_secret_of_a_stack(supabase: StackEnvironment) -> None:
    secrets = [supabase.jwt_secret, supabase.secret_key, supabase.publishable_key]
    content = [path.read_bytes() for path in (CACHE / cluster_key()).rglob("*") if path.is_file()]
    assert content
    assert not any(secret.encode() in part for secret in secrets for part in content)
