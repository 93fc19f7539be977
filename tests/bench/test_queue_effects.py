"""Effects as they are counted: what is wrong with them, and who took over whose lanes."""

from __future__ import annotations

import math
import threading
from pathlib import Path

import pytest

from bench.queue.effects import RECORD_BYTES, Effects, faults, out_of_order
from bench.queue.records import STARTED, STEP, Started, Step, read_started, read_steps
from bench.queue.takeover import takeover


@pytest.mark.parametrize(
    ("numbers", "told"),
    [
        ([0, 1, 2], ""),
        ([2, 0, 1], ""),
        ([0, 2], "1 lost"),
        ([0, 1, 2, 1, 1], "2 repeated"),
        ([0, 1, 2, 3, 3], "2 of nobody"),
        ([0, 0, 9], "2 lost, 1 repeated, 1 of nobody"),
        ([], "3 lost"),
    ],
)
def test_each_job_has_one_effect(numbers: list[int], told: str) -> None:
    """Of jobs 0, 1 and 2."""
    found = faults(numbers, 3)
    assert str(found) == told
    assert bool(found) == bool(told)


@pytest.mark.parametrize(
    ("numbers", "lanes", "wrong"),
    [
        ([0, 1, 2, 3], 2, 0),
        ([1, 0, 3, 2], 2, 0),
        ([2, 1, 0, 3], 2, 1),
        ([4, 0, 2, 5], 2, 2),
        ([3, 2, 1], 1, 2),
    ],
)
def test_order_is_a_lanes(numbers: list[int], lanes: int, wrong: int) -> None:
    """Job n is in lane n modulo the number of lanes; lanes owe each other nothing."""
    assert out_of_order(numbers, lanes) == wrong


def test_effects_are_waited_for(tmp_path: Path) -> None:
    """And no longer than while something comes."""
    effects = Effects(tmp_path / "effects")

    def append() -> None:
        with effects.path.open("ab") as file:
            for number in (7, 8, 9):
                file.write(number.to_bytes(RECORD_BYTES, "little"))

    writer = threading.Thread(target=append)
    writer.start()
    assert effects.wait(3, idle_max_s=10).count == 3
    writer.join()
    assert effects.numbers() == [7, 8, 9]
    assert effects.wait(4, idle_max_s=0.05).count == 3


def test_a_record_that_a_kill_cut_short_is_none(tmp_path: Path) -> None:
    """The rest of the file counts."""
    path = tmp_path / "records"
    path.write_bytes(STARTED.pack(3, 100, 1.5) + STARTED.pack(4, 100, 2.5)[:-1])
    assert read_started(path) == [Started(3, 100, 1.5)]
    path.write_bytes(STEP.pack(1, 2, 100, 3, 4, True, 1.5) + b"x")
    assert read_steps(path) == [Step(lane=1, number=2, pid=100, deaths=3, asked=4, ends=True, at=1.5)]


def test_a_takeover_is_told_by_lane() -> None:
    """Lanes 0 and 1 are the victim's, 2 is not, and 3 never runs again."""
    records = [Started(number, 66 if number != 2 else 77, 1.0) for number in range(4)]
    # What it had started before the kill is seen late, and is nobody's takeover.
    records.append(Started(4, 66, 5.1))
    records += [Started(8, 77, 6.0), Started(12, 77, 9.0), Started(5, 88, 7.5), Started(6, 77, 5.5)]
    assert takeover(records, 66, 5.0, 4) == {0: 1.0, 1: 2.5, 3: math.inf}
