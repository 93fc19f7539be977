"""The evaluation's journal: a run goes on where it was stopped, and with nothing else."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from bench.evaluation.journal import Busy, Journal, OtherRun, alone
from bench.evaluation.machine import tree
from bench.evaluation.measure import Taken
from bench.evaluation.plan import Turn
from tests.bench.evaluating import a_head, a_machine, a_plan, taken

FIRST = Turn(0, "noted", "ours")
SECOND = Turn(0, "noted", "go")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "results" / "evaluation.journal"


def written(path: Path) -> Journal:
    """Return a journal that has something of each kind."""
    journal = Journal(path, a_head())
    journal.took(FIRST, Taken(values={"rate": 12.5}, rows=[{"at_s": 0.0, "p99_ms": 1.5}], notes=["a note"]))
    journal.throw_out("noted", "node", "not the echo of '1'")
    journal.ended("chat", {"goals": []})
    journal.ended("locust", None)
    return journal


def test_what_was_written_is_remembered(path: Path) -> None:
    """By another process too, which sees the run's own beginning rather than its own."""
    before = written(path)
    assert not before.resumed
    after = Journal(path, msgspec.structs.replace(a_head(), began="later"))
    assert after.resumed
    assert after.head.began == before.head.began
    assert msgspec.to_builtins(after.taken[FIRST]) == msgspec.to_builtins(before.taken[FIRST])
    assert (after.out, after.parts) == (before.out, before.parts)
    assert after.is_done(FIRST)
    assert after.is_done(Turn(1, "noted", "node"))
    assert not after.is_done(SECOND)
    assert not after.is_done(Turn(1, "noted", "ours"))


@pytest.mark.parametrize("left", range(1, 60, 7))
def test_a_torn_last_line_was_never_written(path: Path, left: int) -> None:
    """However much of it reached the file; what is written next is whole again."""
    before = written(path)
    whole = path.read_bytes()
    before.took(SECOND, taken(7.0))
    path.write_bytes(path.read_bytes()[: len(whole) + left])

    after = Journal(path, a_head())
    assert set(after.taken) == {FIRST}
    after.took(SECOND, taken(8.0))
    assert Journal(path, a_head()).taken[SECOND].values == {"rate": 8.0}


def test_a_torn_first_line_is_no_run(path: Path) -> None:
    """Stopped before it began."""
    Journal(path, a_head())
    path.write_bytes(path.read_bytes()[:-1])
    assert not Journal(path, a_head()).resumed
    assert Journal(path, a_head()).resumed


@pytest.mark.parametrize(
    ("head", "differs"),
    [
        (a_head(a_plan(rounds=3)), "its rounds: 2; now: 3"),
        (a_head(a_plan(contestants=("ours", "go"))), "its contestants: ours, go, node; now: ours, go"),
        (a_head(a_plan(("noted", "echo"))), "its measures: noted; now: noted, echo"),
        (a_head(a_plan(())), "its measures: noted; now: none"),
        (a_head(a_plan(("noted", "echo")), tree="another tree"), "its measures: noted; now: noted, echo"),
        (a_head(machine=a_machine(model="Another one")), "its machine's model: A processor; now: Another one"),
        (a_head(tree="another tree"), "the sources have changed since"),
    ],
)
def test_another_run_does_not_go_on_with_it(path: Path, head, differs: str) -> None:
    """Its numbers would stand beside such as do not compare; the journal stays as it was."""
    written(path)
    before = path.read_bytes()
    said = f"evaluation.journal is of an unfinished run that is not this one: {differs}$"
    with pytest.raises(OtherRun, match=said) as raised:
        Journal(path, head)
    assert path.read_bytes() == before
    # What would finish it is known where anything can: of other sources, or on another machine, nothing does.
    here = (head.tree, head.machine.model) == (a_head().tree, a_head().machine.model)
    assert raised.value.plan == (a_plan() if here else None)


def test_a_disk_that_is_slower_today_is_no_other_machine(path: Path) -> None:
    """Its speed is measured anew each time, and never twice the same."""
    written(path)
    assert Journal(path, a_head(machine=a_machine(fsync_p50_ms=2.0))).head.machine.fsync_p50_ms == 1.0


def test_what_is_no_journal_is_left_alone(path: Path) -> None:
    """A line in the middle that cannot be read is no torn one."""
    written(path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"{}\n" + lines[1])
    with pytest.raises(OtherRun, match="line 2, cannot be read"):
        Journal(path, a_head())
    path.write_bytes(lines[1])
    with pytest.raises(OtherRun, match="no journal of a run"):
        Journal(path, a_head())


def test_two_runs_do_not_write_in_one_folder(tmp_path: Path) -> None:
    """They would take everything twice, beside each other; whoever comes later is told, and may come again."""
    folder = tmp_path / "results"
    with alone(folder), pytest.raises(Busy, match=r"Another run is writing in .*/results"), alone(folder):
        pass
    with alone(folder), alone(tmp_path / "elsewhere"):
        pass


def test_a_tree_is_another_one_when_a_source_is(tmp_path: Path) -> None:
    """Papers, and what is installed beside sources, change nothing."""
    for name in ("gateway/a.py", "bench/peers/go/main.go", "bench/README.md", "bench/peers/node/node_modules/x.js"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("1")
    before = tree(tmp_path)
    (tmp_path / "bench/README.md").write_text("2")
    (tmp_path / "bench/peers/node/node_modules/x.js").write_text("2")
    assert tree(tmp_path) == before
    (tmp_path / "bench/peers/go/main.go").write_text("2")
    changed = tree(tmp_path)
    assert changed != before
    (tmp_path / "gateway/a.py").rename(tmp_path / "gateway/b.py")
    assert tree(tmp_path) not in {before, changed}
