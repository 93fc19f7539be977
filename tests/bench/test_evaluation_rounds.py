"""Rounds of the evaluation: with real contestants that are right or wrong, and with one that is stopped and goes on."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec
import psutil
import pytest

from bench.answers import WrongAnswer
from bench.contestants import Contestant, answers
from bench.evaluation.journal import Journal
from bench.evaluation.measure import Measure, Taken
from bench.evaluation.measures.lines import Closed
from bench.evaluation.plan import Turn
from bench.evaluation.rounds import Rounds
from bench.evaluation.stage import Rounded
from bench.evaluation.standings import standings
from bench.keys import Keys
from bench.lines import LINES
from bench.rounds import Field
from bench.sampling import Pace
from tests.bench.conftest import contestant, environment
from tests.bench.evaluating import WARMING, Noted, a_head, a_plan, taken
from tests.support.waiting import until

SHORT = Pace(warm_s=0.05, measured_s=0.2)
#: Much work for wrk before each request: it is never done, and whoever answers it has hardly anything to do.
HEAVY = """
dofile("echo.lua")
function request()
   local x = 0
   for i = 1, 600000 do x = x + i % 7 end
   return wrk.format()
end
"""


def played(journal: Journal, measures: Mapping[str, Measure], tmp_path: Path, keys: Keys | None = None) -> None:
    """Run what a journal lacks."""
    names = journal.head.plan.contestants
    able = {name: contestant(name) for name in names if name != "crashing"}
    able["crashing"] = Contestant("crashing", "Crashing", ("/bin/false",))
    field = Field(environment(), tmp_path, contestants=able)
    # Nobody asks a store; some process that does nothing stands for it.
    with subprocess.Popen(["sleep", "60"]) as store:
        stage = Rounded(field, keys, store.pid, quick=False, warming=WARMING)  # type: ignore[arg-type]
        try:
            Rounds(journal, stage, measures).run({})
        finally:
            store.kill()


@pytest.mark.usefixtures("wrk")
def test_a_contestant_that_answers_wrongly_is_thrown_out(tmp_path: Path, keys: Keys) -> None:
    """Before its take or by it, however fast it was; who does not start is out too, and the honest one is measured."""
    names = ("honest", "canned", "trimmed", "crashing")
    line = msgspec.structs.replace(LINES["echo"], connections=8)
    journal = Journal(tmp_path / "journal", a_head(a_plan(("echo",), contestants=names, rounds=1)))
    measures = {"echo": Closed(line, names, whole=SHORT)}
    played(journal, measures, tmp_path, keys)

    found = standings(journal, measures)[0]
    assert [result.contestant for result in found.results] == ["honest"]
    assert found.results[0].median > 0
    assert found.out["canned"].startswith("not the echo of")
    assert "trimmed" in found.out
    assert found.out["crashing"] == "it did not start"


@pytest.mark.usefixtures("wrk")
def test_a_generator_without_time_left_is_reported(tmp_path: Path, keys: Keys) -> None:
    """A rate that wrk set is not the contestant's; nobody takes it for one."""
    script = tmp_path / "heavy.lua"
    script.write_text(HEAVY)
    # So many answers lie there whenever the contestant has no core for a moment.
    line = msgspec.structs.replace(LINES["echo"], script=str(script), connections=16)
    measures = {"echo": Closed(line, ("honest",), whole=Pace(warm_s=0.6, measured_s=0.6))}

    journal = Journal(tmp_path / "journal", a_head(a_plan(("echo",), contestants=("honest",), rounds=1)))
    played(journal, measures, tmp_path, keys)
    found = standings(journal, measures)[0]
    assert found.out == {}
    # Others may have its core meanwhile: that leaves it no more time.
    assert any(note.startswith("limited by the generator") for note in found.results[0].notes)


@pytest.mark.usefixtures("wrk")
def test_who_was_ended_by_one_measure_is_there_for_the_next(tmp_path: Path) -> None:
    """Whatever it died of is no fault of it elsewhere."""
    field = Field(environment(), tmp_path, contestants={"honest": contestant("honest")})
    stage = Rounded(field, None, os.getpid(), quick=False, warming=WARMING)  # type: ignore[arg-type]
    with stage.round(["honest"]):
        first = stage.shared("honest")
        assert stage.shared("honest") is first
        psutil.Process(first.pid).kill()
        until("it is gone", lambda: not first.alive)
        second = stage.shared("honest")
        assert second.alive
        assert answers(second.port)
    assert not second.alive


@pytest.mark.usefixtures("wrk")
@pytest.mark.parametrize(("quick", "warm_s", "warmed"), [(False, 0.0, True), (True, 1.5, True), (True, 0.0, False)])
def test_in_a_quick_run_those_get_warm_whose_code_is_compiled_meanwhile(
    quick: bool, warm_s: float, warmed: bool, tmp_path: Path
) -> None:
    """Seen by one that is right a thousand times and no longer."""
    trimmed = msgspec.structs.replace(contestant("trimmed"), warm_s=warm_s)
    field = Field(environment(), tmp_path, contestants={"trimmed": trimmed})
    warming = Pace(warm_s=0.5, measured_s=1.0)
    stage = Rounded(field, None, os.getpid(), quick=quick, warming=warming)  # type: ignore[arg-type]
    with (
        stage.round(["trimmed"]),
        pytest.raises(WrongAnswer) if warmed else contextlib.nullcontext(),
    ):
        LINES["echo"].check(stage.shared("trimmed").port, None, questions=100)  # type: ignore[arg-type]


@pytest.mark.usefixtures("wrk")
def test_who_was_ended_and_does_not_start_again_did_not_start(tmp_path: Path) -> None:
    """Which is what there is to say of it, each time, and not that nobody answers."""
    honest = contestant("honest")
    once = 'test -e "$0" && exit 3; touch "$0"; exec "$@"'
    argv = ("/bin/sh", "-c", once, str(tmp_path / "started"), *honest.argv)
    field = Field(environment(), tmp_path, contestants={"honest": msgspec.structs.replace(honest, argv=argv)})
    stage = Rounded(field, None, os.getpid(), quick=False, warming=WARMING)  # type: ignore[arg-type]
    with stage.round(["honest"]):
        first = stage.shared("honest")
        psutil.Process(first.pid).kill()
        until("it is gone", lambda: not first.alive)
        for _ in range(2):
            with pytest.raises(WrongAnswer, match="it did not start"):
                stage.shared("honest")


class Stopped(KeyboardInterrupt):
    """Somebody pressed Ctrl-C."""


def test_a_stopped_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Nothing is taken twice, nothing is forgotten, whenever it was stopped."""
    plan = a_plan(("first", "second"))
    patience = iter(range(100))

    def stops_at_each_third(_: str) -> Taken:
        if next(patience) % 3 == 2:
            raise Stopped
        return taken(1.0)

    measures = {name: Noted(name, does=stops_at_each_third) for name in ("first", "second")}
    stops = 0
    while True:
        journal = Journal(tmp_path / "journal", a_head(plan))
        try:
            played(journal, measures, tmp_path)
            break
        except Stopped:
            stops += 1
    assert list(journal.taken) == plan.all_turns(measures)
    assert stops == 5
    # Asked as often as it answered, and once more for each time it was stopped at.
    assert sum(len(measure.asked) for measure in measures.values()) == len(journal.taken) + stops


def test_who_is_out_is_not_asked_again(tmp_path: Path) -> None:
    """Neither in later rounds nor when a stopped run goes on."""

    def wrong_for_go(name: str) -> Taken:
        if name == "go":
            raise WrongAnswer("not the echo of '1'")
        return taken(math.nan if name == "node" else 1.0, p99_ms=math.inf)

    measure = Noted(does=wrong_for_go)
    path = tmp_path / "journal"
    played(Journal(path, a_head()), {"noted": measure}, tmp_path)
    again = Journal(path, a_head())
    played(again, {"noted": measure}, tmp_path)

    assert measure.asked == ["ours", "go", "node", "ours"]
    assert again.out == {
        ("noted", "go"): "not the echo of '1'",
        # What is no number cannot be compared, and JSON could not keep it.
        ("noted", "node"): "its rate could not be measured",
    }
    assert again.taken[Turn(0, "noted", "ours")].values == {"rate": 1.0}


class Full(Journal):
    """A journal on a disk that has no room for a take."""

    def took(self, turn: Turn, taken: Taken) -> None:
        """Not be able to."""
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_journal_that_cannot_be_written_ends_the_run(tmp_path: Path) -> None:
    """It is nobody's fault who takes part, and throws nobody out."""
    journal = Full(tmp_path / "journal", a_head())
    with pytest.raises(OSError, match="No space left"):
        played(journal, {"noted": Noted()}, tmp_path)
    assert journal.out == {}


def test_another_one_is_first_in_each_round() -> None:
    """Among those that a measure is for."""
    measures = {"noted": Noted(), "other": Noted("other", ("node", "ours"))}
    turns = a_plan(("noted", "other"), rounds=3).all_turns(measures)
    assert [[turn.contestant for turn in turns if turn == Turn(n, "noted", turn.contestant)] for n in range(3)] == [
        ["ours", "go", "node"],
        ["go", "node", "ours"],
        ["node", "ours", "go"],
    ]
    others = [turn.contestant for turn in turns if turn.measure == "other"]
    assert others == ["ours", "node", "node", "ours", "ours", "node"]
