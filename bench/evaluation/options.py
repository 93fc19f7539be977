"""What the command is told: which plan that is, where its results lie, and which command a plan is.

What means nothing is told before anything is measured, as what was expected beside what came.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.evaluation.measures.catalogue import MEASURES, WHO
from bench.evaluation.parts import NotAReport, read_part
from bench.evaluation.plan import PARTS, ROUNDS, Plan
from bench.stack import ROOT

__all__ = ["arguments_of", "command_of", "given_of", "one_thing", "options_parser", "place", "plan_of"]

_RESULTS = ROOT / "bench" / "results"


def one_thing(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse what would be passed over: drawing and comparing measure nothing."""
    given = [f"--{name}" for name, value in vars(options).items() if value not in (None, False)]
    for name in ("--page", "--compare"):
        if name in given and len(given) > 1:
            parser.error(f"expected {name} alone, got {', '.join(given)}")


def place(options: argparse.Namespace) -> Path:
    """Return the folder of a run that names none: what is a part of a run never lies over a whole one."""
    if options.only is not None or options.contestants is not None:
        return _RESULTS / "part"
    return _RESULTS / "quick" if options.quick else _RESULTS


def command_of(arguments: Sequence[str]) -> str:
    """Return this program's command, by the Python that runs it, as a shell takes it."""
    return shlex.join([_near(Path(sys.executable)), "-m", "bench.evaluation", *arguments])


def _near(path: Path) -> str:
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def arguments_of(plan: Plan, path: Path) -> list[str]:
    """Return what has to be said for a run of *plan* with its results at *path*."""
    said = ["--quick"] if plan.quick else []
    named = (*plan.measures, *plan.parts)
    usual = [n for n in MEASURES if MEASURES[n].quick] if plan.quick else [*MEASURES, *PARTS]
    if named != tuple(usual):
        said += ["--only", ",".join(named)]
    if plan.contestants != tuple(WHO):
        said += ["--contestants", ",".join(plan.contestants)]
    if not plan.quick and plan.rounds != ROUNDS:
        said += ["--rounds", str(plan.rounds)]
    return [*said, "--json", _near(path)]


def plan_of(parser: argparse.ArgumentParser, options: argparse.Namespace) -> Plan:
    """Return what is to be measured; ends the program where what was said means nothing."""
    measures = options.only.split(",") if options.only is not None else [*MEASURES, *PARTS]
    contestants = options.contestants.split(",") if options.contestants is not None else list(WHO)
    for what, names, known in (("only", measures, (*MEASURES, *PARTS)), ("contestants", contestants, WHO)):
        if strangers := [name for name in names if name not in known]:
            got = ", ".join(strangers) or "nothing"
            parser.error(f"expected --{what} to name some of {', '.join(known)}, got {got}")
    rounds = options.rounds if options.rounds is not None else 1 if options.quick else ROUNDS
    if rounds < 1:
        parser.error(f"expected --rounds to be at least 1, got {rounds}")
    if options.json and options.json.suffix != ".json":
        # The journal lies beside it, and is forgotten.
        parser.error(f"expected --json to name a file that ends in .json, got {options.json}")
    if options.json and options.json.is_dir():
        parser.error(f"expected --json to name a file, got the folder {options.json}")
    if options.json and not options.json.parent.is_dir():
        parser.error(f"expected --json to name a file in a folder that is there, got {options.json}")
    if options.quick and rounds > 1:
        parser.error(f"expected --rounds without --quick, which has one round, got {rounds}")
    # What is asked for by name, a quick run has too.
    whole = options.only is not None or not options.quick
    given = {name for name in PARTS if getattr(options, name)}
    return Plan(
        measures=tuple(n for n in MEASURES if n in measures and (whole or MEASURES[n].quick)),
        contestants=tuple(n for n in WHO if n in contestants),
        rounds=rounds,
        quick=options.quick,
        parts=tuple(n for n in PARTS if n in given or (whole and n in measures)),
    )


def given_of(parser: argparse.ArgumentParser, options: argparse.Namespace) -> dict[str, Mapping[str, Any]]:
    """Return the reports that need not be made; what is none is told now, and not when all else is measured."""
    try:
        return {name: read_part(name, path) for name in PARTS if (path := getattr(options, name)) is not None}
    except NotAReport as error:
        parser.error(f"expected the JSON that bench.{' or bench.'.join(PARTS)} has written, got {error}")


def options_parser(about: str | None = None) -> argparse.ArgumentParser:
    """Return what this command can be told."""
    parser = argparse.ArgumentParser(prog="python -m bench.evaluation", description=about)
    add = parser.add_argument
    add("--quick", action="store_true", help="within 60 s: one short round of the lines that tell the order")
    add("--only", metavar="NAME,...", help=", ".join((*MEASURES, *PARTS)))
    add("--contestants", metavar="NAME,...", help=", ".join(WHO))
    add("--rounds", type=int, metavar="N", help=f"default: {ROUNDS}")
    add(
        "--json",
        type=Path,
        metavar="FILE",
        help="default: bench/results/evaluation.json, in quick/ of a quick run, in part/ with --only or --contestants; "
        "page and picture lie beside it, by its name",
    )
    add("--fresh", action="store_true", help="forget the unfinished run")
    add("--chat", type=Path, metavar="FILE", help="take bench.chat's report from its JSON instead of running it")
    add("--locust", type=Path, metavar="FILE", help="the same of bench.locust")
    add("--page", type=Path, metavar="FILE", help="only draw page and picture again, from the JSON of a run")
    add("--compare", type=Path, nargs=2, metavar="FILE", help="only say where two runs agree, from their JSON")
    return parser
