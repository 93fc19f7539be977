"""``switchboard migrate`` and ``switchboard worker``."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway import store
from gateway.cli import COMMANDS, main
from gateway.embedded.home import Home
from gateway.embedded.programs import Plan

_ADDRESSES = ("DATABASE_URL", "REDIS_URL", "BARTENDER_URL")
_TELLING = """
import json, os
told = {name: text for name, text in os.environ.items() if name.endswith(("_URL", "WORKER__PROCESSES"))}
print(json.dumps({"pid": os.getpid(), **told}))
"""


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


@pytest.mark.parametrize(("arguments", "processes"), [([], ""), (["--processes", "3"], "3")])
def test_worker_becomes_the_workers_parent(tmp_path: Path, arguments: list[str], processes: str) -> None:
    """It is replaced, not started beside: a supervisor signals the process that it started."""
    pid, told = become_worker(tmp_path, arguments)
    expected = {"SWITCHBOARD_WORKER__PROCESSES": processes} if processes else {}
    assert told == {"pid": pid, **expected}


def test_worker_joins_the_switchboard_up_of_its_home(tmp_path: Path) -> None:
    """As the other commands do; what is configured stands."""
    home = Home(tmp_path / "home")
    home.sockets.mkdir(parents=True)
    there = Plan(home, {}).environment
    given = {"SWITCHBOARD_HOME": str(home.root)}
    _, told = become_worker(tmp_path, [], **given)
    assert {name: told.get(name) for name in _ADDRESSES} == {name: there[name] for name in _ADDRESSES}

    _, told = become_worker(tmp_path, [], **given, DATABASE_URL="postgresql://db.example/x")
    assert told["DATABASE_URL"] == "postgresql://db.example/x"
    assert told["REDIS_URL"] == there["REDIS_URL"]
    assert "BARTENDER_URL" not in told, "the sample assistant belongs to the embedded ledger"


def become_worker(folder: Path, arguments: list[str], **given: str) -> tuple[int, dict[str, Any]]:
    """Run the command with a program that tells its environment where the workers' parent would be."""
    package = folder / "workers" / "processes"
    package.mkdir(parents=True, exist_ok=True)
    for each in (package, package.parent):
        (each / "__init__.py").touch()
    (package / "__main__.py").write_text(_TELLING)
    started = subprocess.Popen(
        [sys.executable, "-m", "gateway.cli", "worker", *arguments],
        cwd=folder,
        env={"PYTHONPATH": f"{folder}:{Path(__file__).parents[2]}", **given},
        stdout=subprocess.PIPE,
        text=True,
    )
    out, _ = started.communicate(timeout=30)
    assert started.returncode == 0
    return started.pid, json.loads(out)


def test_every_command_loads_and_says_what_it_does() -> None:
    for name in COMMANDS:
        result = CliRunner().invoke(main, [name, "--help"])
        assert result.exit_code == 0, name
        assert result.output.startswith("Usage: main " + name)
