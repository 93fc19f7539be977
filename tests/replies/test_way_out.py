"""The way out: every message of a reply leaves exactly one way, and the first one in the response where it can."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from gateway.domain.capabilities import Capabilities
from gateway.replies.results import PROMISED_S
from gateway.replies.way_out import way_out
from tests.lanes.lane_bench import turn

HERE, ELSEWHERE = 1, 2
ANSWERING = Capabilities(
    shows=frozenset({"text"}),
    answers_in_response=True,
    answer_by_s=8.0,
    turn_deadline_s=30.0,
    late="push",
    redelivery="gives_up",
    text_chars_max=1_000,
)
PUSHING = msgspec.structs.replace(ANSWERING, answers_in_response=False)
PAYLOADS: list[dict[str, Any]] = [{"n": 1}, {"n": 2}]


def ways(
    capabilities: Capabilities, *, promised: bool = False, accepted_by: int = HERE, age_s: float = 1.0
) -> list[tuple[str, bool, float]]:
    """Kind, whether this process is sending it, and when it is due, of each message."""
    asked: list[None] = []

    def promise() -> bool:
        asked.append(None)
        return promised

    drafts = way_out(
        msgspec.structs.replace(turn(1), accepted_by=accepted_by, age_s=age_s),
        capabilities,
        PAYLOADS,
        promised=promise,
        here=HERE,
    )
    assert len(asked) == (1 if drafts and capabilities.answers_in_response else 0), (
        "a promise binds; it is asked once"
    )
    assert [draft.payload for draft in drafts] == (PAYLOADS if drafts else [])
    return [(draft.kind, draft.claimed, draft.due_s) for draft in drafts]


PUSH = ("push", False, 0.0)


def test_a_pushing_surface_pushes() -> None:
    assert ways(PUSHING, promised=True) == [PUSH, PUSH]


def test_a_caller_who_promised_takes_the_first_message_into_the_response() -> None:
    assert ways(ANSWERING, promised=True) == [("response", True, 0.0), PUSH]


def test_a_caller_elsewhere_has_until_its_time_is_over_to_take_it() -> None:
    assert ways(ANSWERING, accepted_by=ELSEWHERE) == [("response", False, 7.0 + PROMISED_S), PUSH]


@pytest.mark.parametrize(("accepted_by", "age_s"), [(HERE, 1.0), (ELSEWHERE, 8.5)])
def test_with_nobody_left_who_could_take_it_everything_is_pushed(accepted_by: int, age_s: float) -> None:
    assert ways(ANSWERING, accepted_by=accepted_by, age_s=age_s) == [PUSH, PUSH]


def test_what_users_read_from_the_ledger_is_not_sent_at_all() -> None:
    assert ways(msgspec.structs.replace(ANSWERING, late="stream"), promised=True) == []


@pytest.mark.parametrize(("policy", "resend"), [("keep", False), ("resend_marked", True)])
def test_the_channels_policy_for_the_unknown_goes_with_every_row(policy: Any, resend: bool) -> None:
    drafts = way_out(
        turn(1),
        msgspec.structs.replace(ANSWERING, unknown=policy),
        PAYLOADS,
        promised=lambda: True,
        here=HERE,
    )
    assert [draft.resend_unknown for draft in drafts] == [resend, resend]


def test_a_reply_without_a_message_needs_no_way() -> None:
    def nobody() -> bool:
        raise AssertionError("nobody is to promise for nothing")

    assert way_out(turn(1), ANSWERING, [], promised=nobody, here=HERE) == ()


KEEPING = msgspec.structs.replace(ANSWERING, late="next_turn", unknown="resend_marked")


def keeps(*, promised: bool = False, accepted_by: int = HERE, is_empty: bool = False) -> list[Any]:
    drafts = way_out(
        msgspec.structs.replace(turn(1), accepted_by=accepted_by, age_s=1.0),
        KEEPING,
        PAYLOADS,
        promised=lambda: promised,
        here=HERE,
        kept_s=60.0,
        is_empty=is_empty,
    )
    return [(each.kind, each.claimed, each.due_s, each.kept_s, each.resend_unknown) for each in drafts]


def test_where_nothing_can_be_pushed_it_is_kept() -> None:
    """Law: one row a turn, whoever waits for it now; it is never a push, and told again if that is not known."""
    assert keeps() == [("response", False, 0.0, 60.0, True)]
    assert keeps(promised=True) == [("response", True, 0.0, 60.0, True)]
    assert keeps(accepted_by=ELSEWHERE) == [("response", False, 7.0 + PROMISED_S, 60.0, True)]


def test_what_says_nothing_is_not_kept_and_yet_is_an_answer() -> None:
    assert keeps(is_empty=True) == []
    assert keeps(is_empty=True, promised=True) == [("response", True, 0.0, 60.0, True)]


def test_other_channels_keep_nothing() -> None:
    drafts = way_out(turn(1), ANSWERING, PAYLOADS, promised=lambda: True, here=HERE, kept_s=60.0)

    assert [each.kept_s for each in drafts] == [None, None]
