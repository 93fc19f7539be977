"""What is made of a run that has ended: evaluation.json, tables, goals, and the page."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import click
import msgspec

from bench.contestants import CONTESTANTS, OURS
from bench.evaluation.journal import Journal
from bench.evaluation.measures.catalogue import MEASURES, WHO
from bench.evaluation.page import page
from bench.evaluation.results import Contestant, Results
from bench.evaluation.sentences import answer
from bench.evaluation.standings import standings
from bench.evaluation.table import compared, lines_of
from bench.report import Report

__all__ = ["compare", "draw", "read", "results", "tell", "write"]

#: Ours is to be first or second.
PLACE_GOAL = 2
#: Why somebody is not there whom --contestants has not named.
NOT_ASKED = "not asked for in this run"


def results(journal: Journal, lacks: Mapping[str, str]) -> Results:
    """Return what a journal says together."""
    plan = journal.head.plan
    found = standings(journal, MEASURES)
    notes = [f"bench.{name} failed, and is left out" for name, part in journal.parts.items() if part is None]
    # All of them: a comparison of some says so.  Side by side: some take a second to say their version.
    lacking = {name: lacks.get(name, "") if name in plan.contestants else NOT_ASKED for name in WHO}
    with ThreadPoolExecutor() as threads:
        contestants = list(threads.map(_contestant, lacking, lacking.values()))
    whole = Results(
        quick=plan.quick,
        rounds=plan.rounds,
        began=journal.head.began,
        ended=datetime.now(UTC).isoformat(timespec="seconds"),
        machine=journal.head.machine,
        contestants=contestants,
        measures=found,
        chat=journal.parts.get("chat"),
        locust=journal.parts.get("locust"),
        notes=notes,
    )
    return msgspec.structs.replace(whole, goals=_goals(whole).goals_json())


def write(whole: Results, path: Path) -> None:
    """Write the JSON."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.format(msgspec.json.encode(whole), indent=1))


def read(path: Path) -> Results:
    """Return the results of a run that was written; ends the program when they are not there."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Results)
    except OSError as error:
        raise SystemExit(f"expected the JSON of a run at {path}: {error.strerror}") from None
    except msgspec.DecodeError as error:
        raise SystemExit(f"expected the JSON of a run in {path}, as this version writes it: {error}") from None


def tell(whole: Results) -> None:
    """Print tables and goals, and where ours stands."""
    for line in lines_of(whole):
        click.echo(line)
    _goals(whole).print()
    found = answer(whole)
    click.echo(f"\n{found.lead}")
    for sentence in found.beside:
        click.echo(sentence)
    for measured, sentence in (*found.behind, *found.without):
        click.echo(f"  {measured.title}: {sentence}")


def compare(first: Path, second: Path) -> None:
    """Print where two runs that were written agree."""
    for line in compared(read(first), read(second)):
        click.echo(line)


def draw(whole: Results, path: Path) -> None:
    """Write page and picture beside the JSON at *path*, by its name."""
    lack = page.write(whole, path)
    click.echo(f"\nwritten: {path.with_suffix('.html')}{f', without drawings: {lack}' if lack else ''}")


def _goals(whole: Results) -> Report:
    report = Report("bench.evaluation", quick=whole.quick)
    for measured in whole.measures:
        name = f"{measured.title}: place of ours"
        if measured.place:
            report.goal(name, PLACE_GOAL, measured.place, "", "most")
        elif OURS in measured.out:
            report.goal(name, PLACE_GOAL, math.nan, "", "most")
    for note in whole.notes:
        report.note(note)
    return report


def _contestant(name: str, lack: str) -> Contestant:
    contestant = CONTESTANTS[name]
    return Contestant(name=name, title=contestant.title, version="" if lack else contestant.version(), lack=lack)
