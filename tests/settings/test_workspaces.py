"""Workspaces of a Slack app: tables by team id, each an account of its own."""

from __future__ import annotations

import pytest

from gateway.settings.accounts import SlackAccount
from tests.settings.folder import BASE, Folder

APP = (
    BASE
    + """
[assistants.second]
url = "http://127.0.0.1:8091/turn"

[accounts.slack.app]
assistant = "bartender"
tenant = "house"
signing_secrets = ["env:SIGNING"]
channel_posts_per_s = 5.0
"""
)
ENV = {"SIGNING": "s", "ONE": "xoxb-1", "TWO": "xoxb-2"}


def workspace(team_id: str, *lines: str) -> str:
    return "\n".join([f"[accounts.slack.app.workspaces.{team_id}]", *lines, ""])


def test_each_workspace_is_an_account_with_what_is_its_own(folder: Folder) -> None:
    toml = APP + workspace("T1", 'bot_token = "env:ONE"', 'tenant = "acme"', 'assistant = "second"')
    toml += workspace("E2", 'bot_token = "env:TWO"')
    accounts = folder.load(toml, **ENV).accounts
    assert {key for key in accounts if key[0] == "slack"} == {
        ("slack", "app"), ("slack", "app.T1"), ("slack", "app.E2")
    }  # fmt: skip
    one, two = accounts["slack", "app.T1"], accounts["slack", "app.E2"]
    assert isinstance(one, SlackAccount)
    assert isinstance(two, SlackAccount)
    assert (one.bot_token.reveal(), one.tenant, one.assistant) == ("xoxb-1", "acme", "second")
    assert (two.bot_token.reveal(), two.tenant, two.assistant) == ("xoxb-2", "house", "bartender")
    assert {each.channel_posts_per_s for each in (one, two)} == {5.0}
    assert [each.reveal() for each in one.signing_secrets] == ["s"]


def test_the_environment_reaches_a_workspace_of_the_file(folder: Folder) -> None:
    """A team id is written in capitals, and a variable does not tell which they were."""
    toml = APP + workspace("T1", 'bot_token = "env:ONE"', 'tenant = "acme"')
    settings = folder.load(toml, SWITCHBOARD_ACCOUNTS__SLACK__APP__WORKSPACES__T1__TENANT="other", **ENV)

    assert settings.accounts["slack", "app.T1"].tenant == "other"


@pytest.mark.parametrize(
    ("table", "problem"),
    [
        (workspace("T1"), "accounts.slack.app.workspaces.T1.bot_token: required, expected env:NAME or file:PATH"),
        (
            workspace("T1", 'bot_token = "xoxb-literal"'),
            "accounts.slack.app.workspaces.T1.bot_token: expected env:NAME or file:PATH, got a literal (not shown)",
        ),
        (
            workspace("acme", 'bot_token = "env:ONE"'),
            "accounts.slack.app: workspaces: expected ids of Slack's such as T024BE7LD, got 'acme'",
        ),
        (
            workspace("T1", 'bot_token = "env:ONE"', 'tenat = "acme"'),
            (
                "accounts.slack.app.workspaces.T1.tenat: unknown setting, "
                "did you mean accounts.slack.app.workspaces.T1.tenant?"
            ),
        ),
        (
            workspace("T1", 'bot_token = "env:ONE"', 'assistant = "secnd"'),
            "accounts.slack.app.workspaces.T1.assistant: no assistant is named 'secnd', did you mean second?",
        ),
        (
            workspace("T1", 'bot_token = "env:ONE"', 'tenant = " acme"'),
            "accounts.slack.app.workspaces.T1: tenant: expected 1 to 64 visible characters, got ' acme'",
        ),
        ("workspaces = 3\n", "accounts.slack.app.workspaces: expected tables by name, got 3"),
    ],
)
def test_what_is_wrong_with_one_is_told_where_it_stands(folder: Folder, table: str, problem: str) -> None:
    assert folder.problems(APP + table, **ENV) == [problem]
