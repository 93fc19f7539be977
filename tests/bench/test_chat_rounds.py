"""Rounds of bench.chat with bots of the tests' own: who answers wrongly, fast, is thrown out."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.chat.checker import Verdict
from bench.chat.contestants import HOOK, Contestant, run
from bench.chat.rounds import Plan, Rounds
from bench.chat.scenes import Order
from bench.chat.stage import Outside, outside
from bench.chat.standings import CLOSED
from bench.needs import Need

PROGRAM = str(Path(__file__).with_name("chat_contestant.py"))


@pytest.fixture(scope="module")
def around() -> Iterator[Outside]:
    """The benchmark's own side."""
    with outside() as running:
        yield running


def played(around: Outside, habit: str, *, needs: tuple[str, ...] = (), idle_max_s: float = 20.0) -> Rounds:
    contestant = Contestant(name=habit, title=habit, argvs=((sys.executable, PROGRAM, habit),), needs=needs)
    plan = Plan(
        names=(habit,), rounds=1, warm_s=0.1, measured_s=0.1, lines=(CLOSED,),
        repeats=4, bursts=1, idle_max_s=idle_max_s, doubles_s=0.0,
    )  # fmt: skip
    nothing = {"nothing": Need("nothing", "/nowhere", ("false",))}
    rounds = Rounds(plan, around, contestants={habit: contestant}, needs=nothing)
    rounds.run()
    return rounds


def test_an_honest_bot_is_measured_and_its_doubles_are_counted(around: Outside) -> None:
    """Fast and right in the speed table; without a memory it answers what is delivered again, again."""
    standings = played(around, "honest").standings
    (sample,) = standings.of(CLOSED, "honest")
    assert sample.turn_us > 0
    assert sample.outside_share > 0
    assert 0 < sample.p50_ms <= sample.p99_ms
    assert standings.counted["repeats"]["honest"] == Verdict(asked=4, doubled=8)
    assert standings.counted["bursts"]["honest"] == Verdict(asked=10)


def test_at_a_rate_that_nobody_can_keep_messages_leave_late_and_it_is_told(around: Outside) -> None:
    """Latency counts from the instant, so that what the benchmark's own side adds is to be known."""
    deaf = Contestant(name="deaf", title="deaf", argvs=((sys.executable, PROGRAM, "deaf"),))
    with run(deaf, assistant=around.assistant, slack=around.slack) as running:
        # No more than have room in the connections that a process may have by default.
        order = Order(scene="rate", port=running.port, path=HOOK, seconds=0.0004, rate=1e6, idle_max_s=0.05)
        hurried = around.play(order)
    assert hurried.verdict.asked == 400
    assert hurried.late_p99_ms > 0.5


def test_a_bot_that_says_something_wrong_is_thrown_out(around: Outside) -> None:
    """However fast it was, and though everybody got the right answer besides."""
    standings = played(around, "hasty").standings
    assert standings.of(CLOSED, "hasty") == []
    assert re.fullmatch(r"([\d,]+) wrong of \1 messages", standings.out[CLOSED, "hasty"])


def test_a_bot_that_does_not_answer_is_thrown_out(around: Outside) -> None:
    """Though it took each message with a 200, and fast."""
    standings = played(around, "deaf", idle_max_s=0.05).standings
    assert standings.of(CLOSED, "deaf") == []
    assert standings.out[CLOSED, "deaf"] == "64 lost of 64 messages"


def test_a_bot_that_cannot_be_installed_is_left_out_with_what_would_help(around: Outside) -> None:
    """And nothing is started for it."""
    standings = played(around, "honest", needs=("nothing",)).standings
    assert standings.out[CLOSED, "honest"] == "nothing is missing (status 1: nothing was said): false"
