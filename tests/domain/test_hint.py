"""Hints on the wire: what one process says the other one hears."""

from __future__ import annotations

import msgspec
import pytest

from gateway.domain import hint
from gateway.domain.hint import Hint

EVERY = [
    hint.Accepted(1, 2),
    hint.Settled(1, 2, 3),
    hint.Previewed(1, 2, msgspec.Raw(b'{"kind":"typing"}'), 7, 1),
    hint.Handed(1, 2),
    hint.Orphans(),
    hint.CircuitOpened("assistants.bartender", 7),
    hint.CircuitClosed("assistants.bartender@10.0.0.1:80", 7),
    hint.OrdersChanged(),
    hint.JobDropped(7, 3),
    hint.JobsPaused(),
    hint.PartitionsFree(),
]


@pytest.mark.parametrize("said", EVERY, ids=lambda said: type(said).__name__)
def test_every_hint_is_heard_as_it_was_said(said: Hint) -> None:
    heard = msgspec.json.decode(msgspec.json.encode(said), type=Hint)
    assert type(heard) is type(said)
    assert msgspec.json.encode(heard) == msgspec.json.encode(said)


def test_no_two_hints_are_called_alike() -> None:
    tags = [type(said).__struct_config__.tag for said in EVERY]
    assert len(set(tags)) == len(tags) == len(hint.__all__) - 1, "and every one is tested above"
