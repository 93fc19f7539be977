"""Arranging a batch: pure, so any batch may be tried."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.store.ledger.arrange import Arrival, arrange
from tests.support.actor import arrival

_WORDS = st.sampled_from("abcd")
ARRIVALS = st.builds(
    arrival,
    st.text(max_size=3),
    lane=_WORDS,
    user=_WORDS,
    account=st.sampled_from(["one", "two"]),
    keys=st.lists(_WORDS, min_size=1, max_size=3),
)
BATCHES = st.lists(ARRIVALS, min_size=1, max_size=12)


def keys(one: Arrival) -> set[str]:
    return {f"{one.channel}/{one.account}/{key}" for key in one.inbound.dedupe_keys}


@given(BATCHES)
def test_every_arrival_is_a_message_or_the_twin_of_an_earlier_one(batch: list[Arrival]) -> None:
    arranged = arrange(batch)
    for index, message in enumerate(arranged.message_of):
        first = arranged.arrival_of[message]
        assert first <= index
        if first != index:
            together = set[str]()
            for other, owner in enumerate(arranged.message_of[:index]):
                if owner == message:
                    together |= keys(batch[other])
            assert keys(batch[index]) & together, "a twin shares a key with what came before"


@given(BATCHES)
def test_two_messages_never_share_a_key(batch: list[Arrival]) -> None:
    """Law: each key stands once, with the first message that has it; else one statement would meet it twice."""
    arranged = arrange(batch)
    assert arranged.dedupe_keys == sorted(set().union(*(keys(one) for one in batch)))
    for key, message in zip(arranged.dedupe_keys, arranged.dedupe_m, strict=True):
        holders = [index for index, one in enumerate(batch) if key in keys(one)]
        assert arranged.message_of[holders[0]] == message - 1


@given(BATCHES)
def test_lanes_and_users_are_sorted_and_stand_once(batch: list[Arrival]) -> None:
    """Law: batches of two processes lock them in one order."""
    arranged = arrange(batch)
    lanes = list(zip(arranged.lane_channels, arranged.lane_accounts, arranged.lane_keys, strict=True))
    assert lanes == sorted(set(lanes))
    accounts = [(lanes[c - 1][0], lanes[c - 1][1]) for c in arranged.user_c]
    users = [(*account, key) for account, key in zip(accounts, arranged.user_keys, strict=True)]
    assert users == sorted(set(users))


@given(BATCHES)
def test_every_message_finds_its_own_lane_user_and_words(batch: list[Arrival]) -> None:
    arranged = arrange(batch)
    for message, index in enumerate(arranged.arrival_of):
        one = batch[index]
        lane = arranged.message_c[message] - 1
        assert (arranged.lane_channels[lane], arranged.lane_accounts[lane], arranged.lane_keys[lane]) == (
            one.channel,
            one.account,
            one.inbound.conversation_key,
        )
        user = arranged.message_u[message] - 1
        assert arranged.user_keys[user] == one.inbound.sender.key
        assert arranged.user_names[user] == one.inbound.sender.name
        assert arranged.lane_accounts[arranged.user_c[user] - 1] == one.account
        assert arranged.trace_ids[message] == one.trace_id
