"""One Slack app in several workspaces, from its one address to the post with the right token."""

from __future__ import annotations

from tests.support.stack import Stack, word
from tests.support.stack_settings import WORKSPACES


def test_each_workspace_is_answered_with_its_own_token_and_assistant(stack: Stack) -> None:
    """The same channel id in two workspaces is two conversations of two accounts."""
    one, two = word(), word()
    for said, team in ((one, "T0ONE"), (two, "T0TWO")):
        assert stack.slack.event(said, channel="CSAME", account="app", team=team).send(stack.port).status == 200

    [post] = stack.slack.wait_for(one)
    assert post.headers["authorization"] == f"Bearer {WORKSPACES['T0ONE']}"
    assert post.json["text"] == f"echo: {one}"
    stack.ledger.wait_outbox(two, "sent")
    apology = next(
        call for call in stack.slack.calls if call.headers.get("authorization") == f"Bearer {WORKSPACES['T0TWO']}"
    )
    assert apology.json["channel"] == "CSAME"
    places = [turn["conversation_id"] for said in (one, two) for turn in stack.ledger.turns(said)]
    rows = stack.ledger.rows("SELECT account FROM conversations WHERE id = ANY(%s) ORDER BY account", places)
    assert [row["account"] for row in rows] == ["app.T0ONE", "app.T0TWO"]


def test_a_workspace_that_is_not_named_is_a_stranger(stack: Stack) -> None:
    """Nothing of what it says is kept; whoever gave a command is told."""
    said, asked, behind = word(), word(), word()
    answer = stack.slack.event(said, channel="C1", account="app", team="T0WHO").send(stack.port)
    assert (answer.status, answer.body) == (200, b"")
    told = stack.slack.command(asked, channel="C1", account="app", team="T0WHO").send(stack.port)
    assert told.json["text"] == "This app is not set up for this workspace."

    stack.slack.event(behind, channel="C2", account="app", team="T0ONE").send(stack.port)
    stack.slack.wait_for(behind)
    assert stack.ledger.turns(said) == stack.ledger.turns(asked) == []
    assert stack.ledger.letters(said) == []
