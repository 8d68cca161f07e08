"""The tasks' TypeScript types are those of the migrated database."""

from __future__ import annotations

import subprocess

from local.settings import ROOT
from tests.support.stack import StackEnvironment

TRIGGER = ROOT / "trigger"
SUPABASE_CLI = ROOT / "supabase/node_modules/.bin/supabase"


def test_generated_types_are_those_of_the_database(supabase: StackEnvironment) -> None:
    generated = subprocess.run(
        [
            *(SUPABASE_CLI, "gen", "types", "--lang", "typescript", "--schema", "worker"),
            *("--remote", supabase.database_url),
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    formatted = subprocess.run(
        [TRIGGER / "node_modules/.bin/prettier", "--parser", "typescript"],
        cwd=TRIGGER,
        input=generated[generated.index("export ") :],
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert (TRIGGER / "src/worker-api/database.types.ts").read_text() == formatted, (
        "run `npm run gen-types` in trigger/ with DATABASE_URL set"
    )
