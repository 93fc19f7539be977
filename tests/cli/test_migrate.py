"""``switchboard migrate`` and ``switchboard worker``."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway import store
from gateway.cli import COMMANDS, main


def test_migrate_says_what_it_applied_and_then_that_there_is_nothing(empty_database: str) -> None:
    """With nothing but DATABASE_URL: a release phase has no platform's secrets."""
    env = {"DATABASE_URL": empty_database}

    first = CliRunner().invoke(main, ["migrate"], env=env)
    # Nothing else: yoyo prints the rows of a migration's bare SELECT, as a table.
    files = (Path(store.__file__).parent / "migrations").glob("*.sql")
    names = sorted(file.stem for file in files if not file.stem.endswith(".rollback"))
    assert (first.exit_code, first.output.splitlines()) == (0, [f"Applied {name}." for name in names])

    second = CliRunner().invoke(main, ["migrate"], env=env)
    assert (second.exit_code, second.output) == (0, "The schema is up to date.\n")


def test_migrate_without_a_database_is_one_clear_line_without_the_password() -> None:
    result = CliRunner().invoke(
        main, ["migrate"], env={"DATABASE_URL": "postgresql://me:hunter2@127.0.0.1:1/x"}
    )

    assert result.exit_code == 1
    assert result.output.startswith("Error: cannot reach PostgreSQL (store.database_url): ")
    assert result.output.count("\n") == 1
    assert "hunter2" not in result.output


@pytest.mark.parametrize("command", [["migrate"], ["conversations", "list"]])
def test_an_address_that_is_none_is_told_without_being_shown(command: list[str]) -> None:
    result = CliRunner().invoke(main, command, env={"DATABASE_URL": "hunter2 at somewhere"})

    assert result.exit_code == 1
    assert "store.database_url: expected an address with postgresql://" in result.output
    assert "hunter2" not in result.output


@pytest.mark.parametrize(("arguments", "processes"), [([], "None"), (["--processes", "3"], "3")])
def test_worker_becomes_the_workers_parent(tmp_path: Path, arguments: list[str], processes: str) -> None:
    """It is replaced, not started beside: a supervisor signals the process that it started."""
    package = tmp_path / "workers" / "processes"
    package.mkdir(parents=True)
    for folder in (package, package.parent):
        (folder / "__init__.py").touch()
    (package / "__main__.py").write_text(
        "import os; print(os.getpid(), os.environ.get('SWITCHBOARD_WORKER__PROCESSES'))"
    )
    started = subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", "worker", *arguments],
        cwd=tmp_path,
        env={"PYTHONPATH": f"{tmp_path}:{Path(__file__).parents[2]}"},
        stdout=subprocess.PIPE,
        text=True,
    )
    out, _ = started.communicate(timeout=30)

    assert (started.returncode, out) == (0, f"{started.pid} {processes}\n")


def test_every_command_loads_and_says_what_it_does() -> None:
    for name in COMMANDS:
        result = CliRunner().invoke(main, [name, "--help"])
        assert result.exit_code == 0, name
        assert result.output.startswith("Usage: main " + name)
