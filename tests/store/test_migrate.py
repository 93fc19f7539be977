"""Migrations during a rolling restart: a database of an older version is told from one of this."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from gateway.store.migrate import migrate

ROOT = Path(__file__).parents[2]


def test_a_migration_that_changes_tables_alone_makes_a_database_out_of_date(
    empty_database: str, tmp_path: Path
) -> None:
    """Law: no process says that it is ready while a table that it needs is not there."""
    shutil.copytree(ROOT / "gateway", tmp_path / "gateway", ignore=shutil.ignore_patterns("demo"))
    newer = tmp_path / "gateway/store/migrations/9999_newer.sql"
    newer.write_text("CREATE TABLE newer (id bigint);")
    run = (
        "import sys, psycopg2; from gateway.store.migrate import is_current, migrate; "
        "url = sys.argv[1]; print(is_current(psycopg2.connect(url)), migrate(url), is_current(psycopg2.connect(url)))"
    )
    migrate(empty_database)

    said = subprocess.run(
        [sys.executable, "-c", run, empty_database],
        cwd=tmp_path, check=True, timeout=60, capture_output=True, text=True,
    )  # fmt: skip

    assert said.stdout == "False ['9999_newer'] True\n"
