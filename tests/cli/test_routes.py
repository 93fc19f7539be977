"""``switchboard routes``: what is registered, and on which way it is reached."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gateway.cli import main


@pytest.fixture
def listed(tmp_path: Path) -> list[dict[str, Any]]:
    """The routes, on a machine with neither a store nor a secret."""
    env = {"SWITCHBOARD_HOME": str(tmp_path), "SWITCHBOARD_CONFIG": "/nonexistent", "DATABASE_URL": ""}
    result = CliRunner().invoke(main, ["routes", "--json"], env=env)
    assert result.exit_code == 0, result.output
    return list(json.loads(result.output))


def test_hot_routes_are_express_and_pages_are_flasks(listed: list[dict[str, Any]]) -> None:
    served = {(one["path"], method): one["served"] for one in listed for method in one["methods"]}

    assert served["/hooks/<channel>/<account>", "POST"] == "express"
    for path in ("/healthz", "/readyz", "/metrics"):
        assert served[path, "GET"] == "express"
    assert served["/chat/<account>", "GET"] == "flask"


def test_what_flask_does_by_itself_is_left_out(listed: list[dict[str, Any]]) -> None:
    assert not {"HEAD", "OPTIONS"} & {method for one in listed for method in one["methods"]}


def test_a_person_gets_the_same_as_a_table(listed: list[dict[str, Any]]) -> None:
    lines = CliRunner().invoke(main, ["routes"]).output.splitlines()

    assert lines[0].split() == ["METHODS", "PATH", "SERVED", "NAME"]
    assert [line.split()[1] for line in lines[1:]] == [one["path"] for one in listed]
