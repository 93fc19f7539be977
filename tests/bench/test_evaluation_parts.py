"""What a run is told and given: looked at before anything is measured."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import BENCHES
from bench.__main__ import arguments_of as every_bench
from bench.evaluation.options import arguments_of, given_of, options_parser, place, plan_of
from bench.evaluation.parts import NotAReport, read_part
from bench.evaluation.plan import PARTS
from bench.report import Report
from bench.stack import ROOT
from tests.support.waiting import GUARD_S


@pytest.mark.parametrize(
    ("written", "said"),
    [
        pytest.param(None, "No such file", id="nothing"),
        pytest.param("{", "truncated", id="half of one"),
        pytest.param("[]", "Expected `object`", id="something else"),
        pytest.param('{"name": "bench.locust"}', "a report of bench.locust", id="another one's"),
        pytest.param("{}", "a report of nobody", id="nobody's"),
    ],
)
def test_what_is_no_report_of_it_is_refused(tmp_path: Path, written: str | None, said: str) -> None:
    """With what it is instead."""
    path = tmp_path / "report.json"
    if written is not None:
        path.write_text(written)
    with pytest.raises(NotAReport, match=f"report.json: .*{said}"):
        read_part("chat", path)


def test_a_report_is_read_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    Report("bench.chat", quick=True).write(path)
    assert read_part("chat", path)["quick"] is True


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--only", "echo,eco"), "got eco"),
        (("--contestants", "go,rust"), "got rust"),
        (("--rounds", "0"), "expected --rounds to be at least 1, got 0"),
        (("--json", "a.journal"), "expected --json to name a file that ends in .json, got a.journal"),
        (("--quick", "--rounds", "3"), "expected --rounds without --quick, which has one round, got 3"),
        (("--only", ""), "got nothing"),
        (("--contestants", ""), "got nothing"),
        (("--json", "bench/nowhere/a.json"), "in a folder that is there, got bench/nowhere/a.json"),
        (("--page", "a.json"), "expected --page alone, got --json, --page"),
        (("--compare", "a.json", "b.json", "--quick"), "expected --compare alone, got --quick, --json, --compare"),
    ],
)
def test_arguments_that_mean_nothing_are_told(tmp_path: Path, arguments: tuple[str, ...], said: str) -> None:
    """As what was expected beside what came."""
    assert refused(tmp_path, *arguments).endswith(said)


def test_what_is_wrong_is_told_before_anything_is_measured(tmp_path: Path) -> None:
    """Not an hour later."""
    nowhere = tmp_path / "nowhere.json"
    assert refused(tmp_path, "--locust", str(nowhere)) == (
        "python -m bench.evaluation: error: expected the JSON that bench.chat or bench.locust has written, got "
        f"{nowhere}: No such file or directory"
    )
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_no_file_for_results(tmp_path: Path) -> None:
    """Told before anything is measured, and not when it cannot be written."""
    folder = tmp_path / "a.json"
    folder.mkdir()
    assert refused(tmp_path, "--json", str(folder)).endswith(f"to name a file, got the folder {folder}")


@pytest.mark.parametrize(
    ("arguments", "folder"),
    [
        ([], "results"),
        (["--rounds", "2"], "results"),
        (["--quick"], "quick"),
        (["--only", "chat"], "part"),
        (["--contestants", "ours,go"], "part"),
        (["--quick", "--only", "echo"], "part"),
    ],
)
def test_a_part_of_a_run_is_not_written_over_a_whole_one(arguments: list[str], folder: str) -> None:
    """Nor over a quick one."""
    assert place(options_parser().parse_args(arguments)).name == folder


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--quick"],
        ["--quick", "--only", "echo,chat"],
        ["--only", "curve_echo,locust", "--contestants", "ours,go", "--rounds", "3"],
    ],
)
def test_the_command_that_would_finish_a_run_is_of_the_same_plan(arguments: list[str]) -> None:
    """Whoever is told it goes on where the run was stopped."""
    before = plan_of(options_parser(), options_parser().parse_args(arguments))
    said = arguments_of(before, Path("bench/some.json"))
    assert said[-2:] == ["--json", "bench/some.json"]
    assert plan_of(options_parser(), options_parser().parse_args(said)) == before


@pytest.mark.parametrize("quick", [True, False])
def test_make_bench_gives_the_evaluation_what_was_measured_before_it(tmp_path: Path, quick: bool) -> None:
    """All of its parts: it is refused, and nothing is measured, where one is not there."""
    for name in BENCHES[: BENCHES.index("evaluation")]:
        Report(f"bench.{name}", quick=quick).write(tmp_path / f"{name}.json")
    _, said = every_bench(name="evaluation", folder=tmp_path, results=tmp_path, quick=quick)
    parser = options_parser()
    assert list(given_of(parser, parser.parse_args(said))) == list(PARTS)


def test_no_rounds_of_chat_turns_are_refused() -> None:
    """Nothing was measured, and every goal would be missed."""
    argv = [sys.executable, "-m", "bench.chat", "--rounds", "0"]
    ran = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=GUARD_S)
    assert ran.returncode == 2
    assert ran.stderr.endswith("expected --rounds to be at least 1, got 0\n")


def refused(folder: Path, *arguments: str) -> str:
    """Return with which words a run is refused."""
    argv = [sys.executable, "-m", "bench.evaluation", "--json", str(folder / "evaluation.json"), *arguments]
    ran = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=False, timeout=GUARD_S)
    assert ran.returncode == 2
    return ran.stderr.splitlines()[-1]
