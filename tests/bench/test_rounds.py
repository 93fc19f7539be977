"""Whole rounds, with contestants of the tests' own."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import pytest

from bench.contestants import Contestant
from bench.keys import Keys
from bench.lines import LINES, Line, Promise
from bench.needs import Need, missing
from bench.rounds import Field, Plan, Rounds
from tests.bench.conftest import contestant, environment


def line(*habits: str) -> Line:
    return msgspec.structs.replace(
        LINES["echo"], contestants=habits, ours="honest", promises=(Promise(1.0, habits[-1]),), connections=8
    )


def play(plan: Plan, tmp_path: Path, keys: Keys, *others: Contestant) -> Rounds:
    contestants = {name: contestant(name) for each in plan.lines for name in each.contestants}
    contestants |= {other.name: other for other in others}
    needs = {"unicorn": Need("unicorn", "no-such-program", ("install-unicorn",))}
    field = Field(environment(), tmp_path, contestants=contestants, needs=needs)
    rounds = Rounds(plan, field, keys, os.getpid())
    rounds.run()
    return rounds


@pytest.mark.usefixtures("wrk")
def test_a_contestant_that_answers_wrongly_is_thrown_out(tmp_path: Path, keys: Keys) -> None:
    """Before its run or by it, however fast it was; the others go on."""
    echo = line("honest", "canned", "trimmed")
    rounds = play(Plan([echo], quick=False, rounds=1, warm_s=0.1, measured_s=0.3), tmp_path, keys)
    assert len(rounds.standings.of(echo, "honest")) == 1
    assert rounds.standings.out[echo.name, "canned"].startswith("not the echo of")
    assert rounds.standings.out[echo.name, "trimmed"].endswith("wrong lengths")
    assert rounds.standings.of(echo, "canned") == rounds.standings.of(echo, "trimmed") == ()
    measured = rounds.standings.of(echo, "honest")[0]
    assert measured.rate > 0
    assert measured.server_us > 0
    assert 0 < measured.p50_ms <= measured.p99_ms


@pytest.mark.usefixtures("wrk")
def test_who_does_not_start_or_lacks_something_is_left_out(tmp_path: Path, keys: Keys) -> None:
    """And why is told."""
    echo = line("honest", "crashing", "needy")
    crashing = msgspec.structs.replace(contestant("crashing"), argv=("/bin/false",))
    needy = msgspec.structs.replace(contestant("needy"), needs=("unicorn",))
    rounds = play(
        Plan([echo], quick=False, rounds=1, warm_s=0.1, measured_s=0.1), tmp_path, keys, crashing, needy
    )
    assert rounds.standings.out[echo.name, "crashing"] == "it did not start"
    assert rounds.standings.out[echo.name, "needy"].startswith("unicorn is missing")
    assert rounds.standings.out[echo.name, "needy"].endswith(": install-unicorn")
    assert len(rounds.standings.of(echo, "honest")) == 1


def test_turns_rotate() -> None:
    """Who comes first has the machine as the others left it: everybody comes first."""
    plan = Plan([line("honest", "canned", "trimmed")], quick=False)
    turns = [[name for _, name in plan.turns(number)] for number in range(3)]
    assert [names[0] for names in turns] == ["honest", "canned", "trimmed"]
    assert all(sorted(names) == ["canned", "honest", "trimmed"] for names in turns)


def test_a_quick_run_keeps_whom_a_promise_names() -> None:
    """The others are for a whole run."""
    assert Plan([], quick=True).taking_part(LINES["kvs_get"]) == ["ours", "fastify", "dataloader"]
    assert "node" in Plan([], quick=False).taking_part(LINES["kvs_get"])


def test_what_is_missing_is_installed_or_the_command_told(tmp_path: Path) -> None:
    """Nothing is done twice; nothing fails in silence."""
    sign = tmp_path / "sign"
    needs = {
        "good": Need("good", str(sign), ("touch", str(sign))),
        "bad": Need("bad", str(tmp_path / "never"), ("sh", "-c", "echo no such package; exit 3")),
        "lying": Need("lying", str(tmp_path / "never"), ("true",)),
        "root": Need("root", "no-such-program-anywhere", ("no-such-installer",)),
    }
    assert missing(("good",), needs) == ""
    assert sign.exists()
    assert missing(("good", "bad"), needs) == (
        "bad is missing (status 3: no such package): sh -c echo no such package; exit 3"
    )
    assert missing(("lying",), needs).startswith("lying is missing (status 0")
    assert "no-such-installer" in missing(("root",), needs)
