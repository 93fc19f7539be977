"""``switchboard webhooks``: what is told where, and a receiver that was gone is told again on a person's word."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg2
import pytest
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.store.webhooks import disable

#: An operator's shell has no secret, and needs none.
CONFIG = """
[webhooks.crm]
url = "https://crm.example/in?token=not-to-be-shown"
signing_secrets = ["file:secrets/that/only/the/gateway/has"]
events = ["turn.answered", "job.buried"]

[webhooks.pager]
url = "https://pager.example/"
signing_secrets = ["env:NOT_SET"]
events = ["turn.failed"]
"""


class Shell:
    """An operator's."""

    def __init__(self, folder: Path, database_url: str, redis_url: str) -> None:
        self.database_url = database_url
        config = folder / "switchboard.toml"
        config.write_text(CONFIG)
        self.env = {
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "SWITCHBOARD_CONFIG": str(config),
            "SWITCHBOARD_HOME": str(folder),
            "LOGNAME": "ada",
        }

    def run(self, *arguments: str) -> Result:
        return CliRunner().invoke(main, ["webhooks", *arguments], env=self.env)

    def goes(self, webhook: str) -> None:
        """Have its receiver say that it is gone."""
        connection = psycopg2.connect(self.database_url)
        with connection, connection.cursor() as cursor:
            disable(cursor, webhook, by="job 7", reason="its receiver answered 410 Gone")
        connection.close()


@pytest.fixture
def shell(tmp_path: Path, database: str, redis_url: str) -> Shell:
    return Shell(tmp_path, database, redis_url)


def test_all_are_shown_without_what_is_secret_in_their_addresses(shell: Shell) -> None:
    shell.goes("pager")
    shell.goes("forgotten")

    said = shell.run("list").output

    assert "https://crm.example/in " in said
    assert "token" not in said
    assert [line.split()[-1] for line in said.splitlines()[1:4]] == ["enabled", "disabled", "disabled"]
    assert "pager: disabled by job 7 since 20" in said
    assert "its receiver answered 410 Gone" in said


def test_programs_get_the_same(shell: Shell) -> None:
    shell.goes("pager")

    crm, pager = json.loads(shell.run("list", "--json").stdout)

    assert (crm["receiver"], crm["events"], crm["disabled"]) == (
        "https://crm.example/in", ["turn.answered", "job.buried"], None,
    )  # fmt: skip
    assert pager["disabled"]["reason"] == "its receiver answered 410 Gone"


def test_one_that_was_gone_is_told_again_on_a_persons_word(shell: Shell) -> None:
    shell.goes("pager")

    assert shell.run("enable", "pager").exit_code == 0
    assert [one["disabled"] for one in json.loads(shell.run("list", "--json").stdout)] == [None, None]
    again = shell.run("enable", "pager")
    assert (again.exit_code, again.output) == (1, "Error: pager is not disabled\n")


def test_one_is_disabled_with_a_reason(shell: Shell) -> None:
    assert shell.run("disable", "crm", "--reason", "they asked us to").exit_code == 0

    (crm, _) = json.loads(shell.run("list", "--json").stdout)
    assert crm["disabled"]["reason"] == "they asked us to"
    assert crm["disabled"]["by"].startswith("ada@")
    assert "disabled already" in shell.run("disable", "crm", "--reason", "again").output


def test_what_was_ordered_is_told_to_programs(shell: Shell) -> None:
    off = json.loads(shell.run("disable", "crm", "--reason", "moving", "--json").stdout)
    on = json.loads(shell.run("enable", "crm", "--json").stdout)
    assert (off, on) == ({"webhook": "crm", "disabled": True}, {"webhook": "crm", "disabled": False})


@pytest.mark.parametrize("order", [("enable", "pagr"), ("disable", "pagr", "--reason", "it burns")])
def test_a_name_that_nobody_bears_is_refused(shell: Shell, order: tuple[str, ...]) -> None:
    refused = shell.run(*order)

    assert refused.exit_code == 1
    assert "there is no webhook 'pagr' in the settings, did you mean pager?" in refused.output
    strange = shell.run(order[0], "nobody", *order[2:]).output
    assert "there is no webhook 'nobody' in the settings, expected one of crm, pager" in strange
