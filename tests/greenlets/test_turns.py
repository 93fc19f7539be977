"""The event loop's next turn: whoever goes on there has let timers have theirs."""

from __future__ import annotations

import time

import gevent

from gateway.greenlets.turns import in_next_turn, let_others
from tests.support.waiting import until


def burn() -> None:
    until_ = time.monotonic() + 0.004
    while time.monotonic() < until_:
        pass


def test_who_lets_others_is_behind_a_timer_that_is_due() -> None:
    seen: list[str] = []
    timer = gevent.get_hub().loop.timer(0.001)
    timer.start(seen.append, "timer")
    for number in range(20):
        burn()
        let_others()
        seen.append(str(number))
    timer.close()
    assert seen.index("timer") <= 2
    assert seen[-1] == "19"


def test_calls_of_the_next_turn_are_not_of_this_one() -> None:
    """One that asks for the next comes behind what was due before."""
    seen: list[str] = []

    def again(left: int) -> None:
        burn()
        seen.append("call")
        if left:
            in_next_turn(lambda: again(left - 1))

    timer = gevent.get_hub().loop.timer(0.001)
    timer.start(seen.append, "timer")
    in_next_turn(lambda: again(19))
    until("all calls", lambda: len(seen) == 21)
    timer.close()
    assert seen.index("timer") <= 2
