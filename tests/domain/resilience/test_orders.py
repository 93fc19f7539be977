"""Standing orders: what becomes a command, and what a person may ask for."""

from __future__ import annotations

import itertools
from typing import get_args

import pytest

from gateway.domain.errors import BadRequest, NotFound
from gateway.domain.resilience.health import TRANSITIONS, Event, State
from gateway.domain.resilience.orders import (
    ENDPOINT_CHARS_MAX,
    REASON_CHARS_MAX,
    OrderName,
    changes,
    check,
    check_endpoint,
    check_known,
)

NAMES = get_args(OrderName)


@pytest.mark.parametrize("order", NAMES)
def test_an_order_leads_to_the_state_of_its_name(order: str) -> None:
    [(endpoint, event)] = changes({}, {"e": order})
    assert (endpoint, TRANSITIONS[State.CLOSED, event].value) == ("e", order)


def test_obeying_the_differences_is_obeying_the_orders() -> None:
    """Law: whatever stood before, after the commands each circuit is in the state that is ordered, or free."""
    for before, after in itertools.product((None, *NAMES), repeat=2):
        obeyed = {} if before is None else {"e": before}
        wanted = {} if after is None else {"e": after}
        state = State(before or "closed")
        for _, event in changes(obeyed, wanted):
            state = TRANSITIONS[state, event]
        assert state is State(after or "closed"), (before, after)


@pytest.mark.parametrize("order", NAMES)
def test_what_stands_is_not_said_again(order: str) -> None:
    """Law: a command forgets what the circuit has counted, so the same order twice is one command."""
    assert changes({"e": order}, {"e": order}) == []


def test_an_order_of_a_newer_version_is_as_good_as_none() -> None:
    assert changes({}, {"e": "forced_sideways"}) == []
    assert changes({"e": "forced_open"}, {"e": "forced_sideways"}) == [("e", Event.RESET)]
    assert changes({"e": "forced_sideways"}, {"e": "forced_open"}) == [("e", Event.FORCE_OPEN)]


def test_an_order_of_a_newer_version_is_not_dropped_anew_at_each_look() -> None:
    """Law: nobody obeyed it, so while it stands and when it goes nothing is reset: a reset forgets what was counted."""
    assert changes({"e": "forced_sideways"}, {"e": "forced_sideways"}) == []
    assert changes({"e": "forced_sideways"}, {"e": "forced_upwards"}) == []
    assert changes({"e": "forced_sideways"}, {}) == []


@pytest.mark.parametrize(
    ("endpoint", "order", "text", "reason"),
    [
        ("e", "open", "why", "bad_order"),
        ("", "forced_open", "why", "bad_endpoint"),
        ("two words", "forced_open", "why", "bad_endpoint"),
        ("nul\0", "forced_open", "why", "bad_endpoint"),
        ("\ud800", "forced_open", "why", "bad_endpoint"),
        ("x" * (ENDPOINT_CHARS_MAX + 1), "forced_open", "why", "bad_endpoint"),
        ("e", "forced_open", "", "bad_reason"),
        ("e", "forced_open", "  ", "bad_reason"),
        ("e", "forced_open", "\x1b[2J", "bad_reason"),
        ("e", "forced_open", "x" * (REASON_CHARS_MAX + 1), "bad_reason"),
    ],
)
def test_what_can_be_no_order_is_refused(endpoint: str, order: str, text: str, reason: str) -> None:
    with pytest.raises(BadRequest) as refused:
        check(endpoint, order, text)
    assert refused.value.reason == reason


def test_whatever_is_a_label_is_taken() -> None:
    for label in ("assistants.bartender@10.0.0.1:80", "hooks.slack.com", "a@%2Ftmp%2Fb.sock", "x" * ENDPOINT_CHARS_MAX):
        check_endpoint(label)
        check(label, "forced_open", "x" * REASON_CHARS_MAX)


def test_a_typing_error_is_told_with_the_nearest_endpoint() -> None:
    check_known("assistants.bartender", {"assistants.bartender"}, hint="Insist.")
    with pytest.raises(NotFound, match=r"did you mean assistants\.bartender\? Insist\."):
        check_known("assistants.batender", {"assistants.bartender", "slack.com"}, hint="Insist.")
    with pytest.raises(NotFound, match=r"no process has called x and no assistant is reached there\. Insist\."):
        check_known("x", set(), hint="Insist.")


def test_a_service_of_several_endpoints_is_ordered_endpoint_by_endpoint() -> None:
    """Its own name is nobody's label: an order for it would force nothing."""
    known = {"assistants.two@b:1", "assistants.two@a:1", "assistants.bartender"}

    with pytest.raises(NotFound, match=r"for one: assistants\.two@a:1, assistants\.two@b:1\. Insist\."):
        check_known("assistants.two", known, hint="Insist.")
