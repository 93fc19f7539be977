"""``switchboard token``: made, shown once, listed and revoked."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.domain.api_token import is_well_formed


def run(database_url: str, *arguments: object) -> Result:
    return CliRunner().invoke(
        main, ["token", *map(str, arguments)], env={"DATABASE_URL": database_url, "LOGNAME": "ada"}
    )


def run_json(database_url: str, *arguments: object) -> Any:
    result = run(database_url, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_a_token_is_shown_once_and_alone_so_that_a_script_can_keep_it(database: str) -> None:
    made = run(database, "create", "--scope", "jobs:read", "--scope", "jobs:write", "--name", "deploy")

    assert is_well_formed(made.stdout.strip())
    assert made.stderr == (
        "This is token 1, deploy: jobs:read, jobs:write, until it is revoked.  It is not shown again.\n"
    )
    for arguments in (("list",), ("list", "--all"), ("list", "--json"), ("revoke", 1)):
        assert made.stdout.strip() not in run(database, *arguments).output


def test_list_shows_what_each_may_do_and_who_made_it(database: str) -> None:
    assert run(database, "list").stdout == "There are no tokens: `switchboard token create` makes one.\n"
    run(database, "create", "--scope", "admin", "--name", "deploy", "--expires", "90d")
    text = re.sub(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", run(database, "list").stdout)
    text = re.sub(r"ada@\S+", "ada@HOST", text)
    assert [" ".join(line.split()) for line in text.splitlines()] == [
        "ID NAME SCOPES STATE CREATED (UTC) BY EXPIRES (UTC) LAST USED (UTC)",
        "1 deploy admin valid TIME ada@HOST TIME",
    ]


def test_revoked_is_revoked(database: str) -> None:
    made = run_json(database, "create", "--scope", "jobs:read", "--name", "old")
    assert made["token"]["state"] == "valid"
    assert run(database, "revoke", made["token"]["token_id"]).stdout == "Token 1, old, is refused from now on.\n"
    assert run_json(database, "list") == []
    assert [one["state"] for one in run_json(database, "list", "--all")] == ["revoked"]
    again = run(database, "revoke", 1)
    assert (again.exit_code, again.output.startswith("Error: token 1 was revoked already, by ada@")) == (1, True)


def test_a_life_is_in_days_or_hours(database: str) -> None:
    made = run_json(database, "create", "--scope", "jobs:read", "--name", "x", "--expires", "12h")["token"]
    assert made["expires_at"] - made["created_at"] == pytest.approx(43_200, abs=1)


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (["create", "--name", "x"], 2, "Missing option '--scope'"),
        (["create", "--scope", "admin"], 2, "Missing option '--name'"),
        (["create", "--scope", "users:read"], 2, "'users:read' is not one of 'admin', 'breakers:read', "),
        (["create", "--scope", "admin", "--expires", "soon"], 2, "expected a number with s, m, h or d"),
        (["create", "--scope", "admin", "--expires", "0d"], 2, "expected a number with s, m, h or d"),
        (["create", "--scope", "admin", "--expires", "9999d"], 2, "expected at most 3660d"),
        (["create", "--scope", "admin", "--name", "\x1b[2J"], 1, "expected a name"),
        (["revoke", "7"], 1, "there is no token 7"),
        (["revoke", "0"], 2, "expected an id"),
    ],
)
def test_what_makes_no_sense_is_refused(database: str, arguments: list[str], status: int, text: str) -> None:
    result = run(database, *arguments)
    assert (result.exit_code, text in result.output) == (status, True), result.output


def test_without_a_schema_it_says_what_to_do(empty_database: str) -> None:
    result = run(empty_database, "list")
    said = "Error: the database has no schema yet: run `switchboard migrate`\n"
    assert (result.exit_code, result.output) == (1, said)
