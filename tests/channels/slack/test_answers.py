"""What Slack's deliveries are answered with, case by case."""

from __future__ import annotations

import msgspec
import pytest

from gateway.channels.base import Receipt
from gateway.channels.registry import CHANNELS
from gateway.domain.errors import Overloaded, StoreUnavailable
from gateway.domain.http import Response
from gateway.domain.reply import Reply, Text
from tests.channels.slack.deliveries import ACCOUNT

SLACK = CHANNELS["slack"]
FULL = Overloaded("lanes.lane_waiting_max is reached", reason="lane_full", retry_after_s=2.2)
AWAY = StoreUnavailable("PostgreSQL does not answer", reason="postgres", retry_after_s=0)


def test_accepted_and_late_are_empty() -> None:
    """Any text in a 200 would be shown to the user of a command."""
    assert SLACK.accepted([Receipt(1, 1, False)]) == Response(200)
    assert SLACK.accepted([]) == Response(200)
    assert SLACK.late("command", ACCOUNT) == Response(200)


def test_a_response_is_what_a_response_url_would_get() -> None:
    address = {
        "team": "T",
        "channel": "C",
        "response_url": "https://hooks.slack.com/1",
        "visibility": "ephemeral",
    }
    (payload,) = SLACK.render(Reply((Text("Hi"),)), "command", address, ACCOUNT).payloads

    response = SLACK.respond(payload)

    assert response.status == 200
    assert response.content_type == "application/json"
    assert msgspec.json.decode(response.body) == payload["body"]
    assert "url" not in msgspec.json.decode(response.body)


@pytest.mark.parametrize("surface", ["event", "interaction", "view", None])
def test_what_is_sent_again_is_refused_with_a_time(surface: str | None) -> None:
    """Slack repeats an event, a user a modal; Retry-After is whole seconds, and at least one."""
    response = SLACK.refuse(surface, ACCOUNT, FULL)

    assert (response.status, response.headers) == (503, (("Retry-After", "3"),))
    assert SLACK.refuse(surface, ACCOUNT, AWAY).headers == (("Retry-After", "1"),)


@pytest.mark.parametrize(("error", "words"), [(FULL, ACCOUNT.busy), (AWAY, ACCOUNT.apology)])
def test_a_command_is_refused_in_a_sentence(error: Overloaded | StoreUnavailable, words: str) -> None:
    """Slack shows an error code to users as "dispatch_failed": a polite 200 that only the user sees instead."""
    response = SLACK.refuse("command", ACCOUNT, error)

    assert response.status == 200
    assert msgspec.json.decode(response.body) == {
        "response_type": "ephemeral",
        "replace_original": False,
        "text": words,
    }


@pytest.mark.parametrize("surface", ["event", "command", "interaction", "view"])
def test_the_table_keeps_slacks_three_seconds(surface: str) -> None:
    """An answer leaves before Slack gives up; an event's answer never leaves in the response."""
    table = SLACK.surfaces[surface]

    assert table.answer_by_s < 3
    assert table.turn_deadline_s < 30 * 60
    assert table.answers_in_response == (surface == "command")
    assert table.redelivery == ("redelivers" if surface == "event" else "gives_up")
    assert table.late == ("deferred" if surface in {"command", "interaction"} else "push")
