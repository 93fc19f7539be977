"""Migrations during a rolling restart: a database of an older version is told from one of this."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import psycopg2

from gateway.store.migrate import is_current, migrate

ROOT = Path(__file__).parents[2]


def test_a_migration_that_changes_tables_alone_makes_a_database_out_of_date(
    empty_database: str, tmp_path: Path
) -> None:
    """Law: no process says that it is ready while a table that it needs is not there."""
    newest = max((ROOT / "gateway/store/migrations").glob("*.sql")).name.split(".")[0]
    shutil.copytree(ROOT / "gateway", tmp_path / "gateway", ignore=shutil.ignore_patterns("demo", f"{newest}.*"))
    older = "import sys; from gateway.store.migrate import migrate; migrate(sys.argv[1])"
    subprocess.run([sys.executable, "-c", older, empty_database], cwd=tmp_path, check=True, timeout=60)

    def current() -> bool:
        connection = psycopg2.connect(empty_database)
        try:
            return is_current(connection)
        finally:
            connection.close()

    assert not current()
    assert migrate(empty_database) == [newest]
    assert current()
