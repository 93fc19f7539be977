"""The lines of 2018: who is not asked by thousands at once, because it waits for one caller at a time."""

from __future__ import annotations

from contextlib import closing

import gevent
import msgspec
import pytest
from gevent.lock import Semaphore

from bench.answers import WrongAnswer
from bench.evaluation.measures.lines import Closed
from bench.lines import LINES
from tests.bench.served import RIGHT, Answering, Served, Standing


class LetThrough(Exception):
    """The first look is over, and its answers are checked."""


def look(answering: Answering) -> None:
    """Have a contestant looked at that 4,000 are to ask at once."""

    def checked(*_: object, **__: object) -> None:
        raise LetThrough

    line = msgspec.structs.replace(LINES["rpc4000"], check=checked)
    with closing(Served(answering)) as served:
        Closed(line, ["served"]).take("served", Standing(served))


def test_who_waits_for_one_caller_at_a_time_is_found_out() -> None:
    """Before thousands wait for it, and with what it can."""
    turn = Semaphore(1)

    def one_after_the_other(_: int) -> bytes:
        with turn:
            gevent.sleep(0.005)
        return RIGHT

    with pytest.raises(WrongAnswer, match=r"only [\d,]+ waits of 50 ms a second: 4,000 callers at once"):
        look(one_after_the_other)


def test_who_was_held_up_once_is_not() -> None:
    """A collection of garbage, or somebody else on its core: a tenth of a second would have been enough."""

    def held_up(number: int) -> bytes:
        gevent.sleep(0.3 if 16 <= number < 32 else 0.01)
        return RIGHT

    with pytest.raises(LetThrough):
        look(held_up)
