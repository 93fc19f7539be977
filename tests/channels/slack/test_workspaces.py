"""One app, several workspaces: whose delivery it is, and what becomes of a stranger's."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.channels.base import Immediate, Messages, Parsed
from gateway.channels.registry import CHANNELS
from gateway.settings.accounts import SlackAccount, SlackWorkspace
from gateway.settings.secret import Secret
from tests.channels.slack.deliveries import ACCOUNT, NOW_S, delivery, sample

SLACK = CHANNELS["slack"]
APP = msgspec.structs.replace(
    ACCOUNT,
    name="app",
    bot_token=Secret(""),
    workspaces={
        "T1": SlackWorkspace(bot_token=Secret("xoxb-1"), tenant="acme"),
        "T2": SlackWorkspace(bot_token=Secret("xoxb-2")),
        "E1": SlackWorkspace(bot_token=Secret("xoxb-org")),
    },
)


def event(account: SlackAccount = APP, **envelope: Any) -> Parsed:
    value = sample("event_message_dm")
    nobody = {"team_id": None, "context_team_id": None, "authorizations": []}
    value["body"] = {**value["body"], **nobody, **envelope}
    return SLACK.parse(delivery(value), account, NOW_S)


def command(account: SlackAccount = APP, **form: str) -> Parsed:
    value = sample("command")
    value["form"] = {**value["form"], "team_id": "", "enterprise_id": "", **form}
    return SLACK.parse(delivery(value), account, NOW_S)


def interaction(name: str, **payload: Any) -> Parsed:
    value = sample(name)
    value["payload"] = {**value["payload"], "team": None, "enterprise": None, **payload}
    return SLACK.parse(delivery(value), APP, NOW_S)


def for_account(parsed: Parsed) -> str:
    assert isinstance(parsed, Messages)
    assert parsed.inbound
    return parsed.account


def test_a_delivery_is_for_the_account_of_its_workspace() -> None:
    assert for_account(event(team_id="T1")) == "app.T1"
    assert for_account(command(team_id="T2")) == "app.T2"
    assert for_account(interaction("block_actions_button", team={"id": "T1"})) == "app.T1"
    assert for_account(interaction("view_submission", team={"id": "T2"})) == "app.T2"


def test_in_a_shared_channel_it_is_for_the_installation_through_which_we_are_told() -> None:
    """Law: the token of the other team would not do, and the messages are not the other team's."""
    ours = [{"team_id": "T2", "enterprise_id": None, "user_id": "U2", "is_bot": True}]
    assert for_account(event(team_id="T1", authorizations=ours)) == "app.T2"
    view = {**sample("view_submission")["payload"]["view"], "app_installed_team_id": "T2"}
    submitted = interaction("view_submission", team={"id": "T1"}, view=view)
    assert for_account(submitted) == "app.T2"
    assert isinstance(submitted, Messages)
    assert submitted.inbound[0].sender.key.startswith("T2:"), "as in what the same person says"


def test_everybody_in_a_shared_channel_is_in_one_conversation() -> None:
    """Law: whose organization somebody is of changes neither the conversation nor who they are to us."""
    ours = [{"team_id": "T2", "enterprise_id": None, "user_id": "U2", "is_bot": True}]
    told = [
        event(team_id="T2", authorizations=ours),
        event(team_id="T9", authorizations=ours),
        event(team_id="T9", context_team_id="T2"),
    ]
    assert {for_account(each) for each in told} == {"app.T2"}
    said = [each.inbound[0] for each in told if isinstance(each, Messages)]
    assert {(each.conversation_key, each.sender.key) for each in said} == {("T2:D0PNCRP9N", "T2:U061F7AUR")}


def test_a_tap_under_what_an_organization_has_installed_is_in_the_conversation_of_its_events() -> None:
    """Slack names no team there, but that from which the user acts."""
    org = [{"team_id": None, "enterprise_id": "E1", "user_id": "U2", "is_bot": True}]
    user = {"id": "U061F7AUR", "username": "ada", "team_id": "T9"}
    said = event(team_id="T9", enterprise_id="E1", authorizations=org)
    tap = interaction(
        "block_actions_button",
        user=user,
        enterprise={"id": "E1"},
        channel={"id": "D0PNCRP9N"},
        container={"type": "message"},
        message={},
    )
    assert (for_account(said), for_account(tap)) == ("app.E1", "app.E1")
    assert isinstance(said, Messages)
    assert isinstance(tap, Messages)
    assert tap.inbound[0].conversation_key == said.inbound[0].conversation_key == "T9:D0PNCRP9N"
    assert tap.inbound[0].sender.key == said.inbound[0].sender.key
    named = interaction("block_actions_button", user={**user, "team_id": "T1"}, enterprise={"id": "E9"})
    assert for_account(named) == "app.T1", "an organization that is not named, a workspace that is"


def test_what_an_organization_has_installed_is_for_its_own_account() -> None:
    """Where the workspace itself is not named; a workspace that is comes first."""
    org = [{"team_id": None, "enterprise_id": "E1", "user_id": "U2", "is_bot": True}]
    assert for_account(event(team_id="T9", authorizations=org)) == "app.E1"
    assert for_account(command(team_id="T9", enterprise_id="E1")) == "app.E1"
    assert for_account(command(team_id="T1", enterprise_id="E1")) == "app.T1"
    assert for_account(interaction("block_actions_button", team=None, enterprise={"id": "E1"})) == "app.E1"


def test_a_strangers_message_is_not_taken_in_and_slack_is_told_200() -> None:
    """Law: nothing is kept of who has no contract, and Slack does not stop what it delivers to the others."""
    for parsed in (event(team_id="T9"), event(), interaction("block_actions_button", team={"id": "T9"})):
        assert isinstance(parsed, Immediate)
        assert (parsed.refused, parsed.response.status, parsed.response.body) == ("unknown_workspace", 200, b"")


def test_a_strangers_command_is_told_why() -> None:
    parsed = command(team_id="T9")
    assert isinstance(parsed, Immediate)
    assert msgspec.json.decode(parsed.response.body) == {
        "response_type": "ephemeral",
        "text": "This app is not set up for this workspace.",
    }


@pytest.mark.parametrize("name", ["ignored_own_message", "handshake_url_verification", "handshake_ssl_check"])
def test_what_is_no_message_asks_for_no_workspace(name: str) -> None:
    parsed = SLACK.parse(delivery(sample(name)), APP, NOW_S)
    assert not (parsed.refused if isinstance(parsed, Immediate) else parsed.inbound)


def test_the_account_of_a_workspace_takes_its_own_alone() -> None:
    """A kept delivery is read again under it."""
    one = next(each for each in APP.installed() if each.name == "app.T1")
    assert (one.bot_token.reveal(), one.tenant, one.assistant) == ("xoxb-1", "acme", APP.assistant)
    assert for_account(event(one, team_id="T1")) == "app.T1"
    assert isinstance(event(one, team_id="T2"), Immediate)


def test_without_workspaces_every_team_is_the_accounts_own() -> None:
    assert for_account(event(ACCOUNT, team_id="T9")) == ""
