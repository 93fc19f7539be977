"""``switchboard play``: scripted conversations with expectations, on any channel."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec

from gateway.cli.trials import Trials, gateway_option, said, seen_text, told
from gateway.cli.waiting import Waiting
from gateway.platforms.base import Seen
from gateway.platforms.plays.performance import Outcome, perform
from gateway.platforms.plays.play import Play, PlayError, Step
from gateway.platforms.plays.report import Performance, junit, summary
from gateway.platforms.plays.script import read_play
from gateway.platforms.trial import Trial

__all__ = ["play"]

#: The sample assistants' own plays: a name among them stands for its file.
_SHIPPED = Path(__file__).parents[1] / "demo"
_MARKS = {"passed": ("✓", "green"), "failed": ("✗", "red"), "left_out": ("-", "yellow"), "not_played": ("·", None)}
_WIDTH = 66


@click.command()
@click.argument("files", metavar="[FILE]...", nargs=-1)
@click.option("--channel", "channels", multiple=True, metavar="NAME", help="Play it there; `all` for every channel.")
@click.option("--account", default="", metavar="NAME", help="The account to speak to, instead of the file's.")
@click.option("--junit", "junit_file", type=click.Path(dir_okay=False, writable=True), help="Write a report there.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@click.option("--check", is_flag=True, help="Read the files and play nothing.")
@click.option("--verbose", "-v", is_flag=True, help="Show every message that is seen.")
@gateway_option
def play(
    *,
    files: tuple[str, ...],
    channels: tuple[str, ...],
    account: str,
    junit_file: str | None,
    as_json: bool,
    check: bool,
    verbose: bool,
    gateway: str | None,
) -> None:
    """Play the conversations in FILE (TOML; a folder: all of its files) and tell whether they went as written.

    Without FILE: the plays that are shipped with the sample assistants.  Each performance has users of its own, so
    nothing is remembered from the last.  The exit status is 1 if something failed, 2 if a file or an argument is wrong.
    gateway/platforms/plays/README.md says what a play can say.
    """
    plays = _read(files)
    if check:
        for one in plays:
            click.echo(f"{one.name}: {len(one.steps)} step{'' if len(one.steps) == 1 else 's'}")
        return
    if junit_file is not None and not os.access(Path(junit_file).parent, os.W_OK | os.X_OK):
        raise click.UsageError(f"--junit: nothing can be written into {Path(junit_file).parent}")
    trials = Trials(gateway)
    # All of them are found before the first is played: a wrong name is told now, and not after minutes.
    stages = [
        _Stage(one, trials.trial(channel, _account(account, one)), quiet=as_json, verbose=verbose)
        for one in plays
        for channel in _channels(channels, one, trials)
    ]
    with told(trials):
        performances = [stage.run() for stage in stages]
    if junit_file is not None:
        Path(junit_file).write_bytes(junit(performances))
    if as_json:
        value = [{"is_well": one.is_well, **msgspec.to_builtins(one)} for one in performances]
        click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())
    else:
        click.echo(summary(performances))
    sys.exit(0 if all(one.is_well for one in performances) else 1)


class _Stage:
    """One play on one channel, told while it is played."""

    def __init__(self, play: Play, trial: Trial, *, quiet: bool, verbose: bool) -> None:
        self._play = play
        self._trial = trial
        self._quiet = quiet
        self._verbose = verbose
        self._waiting = Waiting(silent=quiet)

    def run(self) -> Performance:
        """Play it.

        :raises gateway.platforms.calls.NotThere: the gateway or the stand-in does not answer.
        """
        channel, account = self._trial.platform.name, self._trial.account.name
        name = f" ({self._play.name})" if self._play.title != self._play.name else ""
        self._say(f"{said(self._play.title)}{name} on {channel}/{account}")
        outcomes = []
        with contextlib.ExitStack() as waits:

            def before(step: Step) -> None:
                waits.enter_context(self._waiting.about(_line(step)))

            performed = perform(self._play, self._trial, secrets.token_hex(3), before=before, watch=self._watch)
            for outcome in performed:
                waits.close()
                outcomes.append(outcome)
                self._tell(outcome)
        self._say("")
        return Performance(self._play.name, self._play.title, channel, account, tuple(outcomes))

    def _tell(self, outcome: Outcome) -> None:
        mark, colour = _MARKS[outcome.state]
        step = _shortened(_line(outcome.step), _WIDTH)
        was_played = outcome.state in ("passed", "failed")
        took = f"{outcome.took_s:7.1f} s" if was_played else f"  {', '.join(outcome.notes)}"
        self._say(f"  {click.style(mark, fg=colour)} {step:{_WIDTH}}{took}".rstrip())
        for note in outcome.notes if was_played else ():
            self._say(f"      ({note})")
        if outcome.problem:
            where = f"line {outcome.step.line}: " if outcome.step.line else ""
            for line in said(outcome.problem).split("\n"):
                self._say(f"      {where}{line}")
            if not outcome.watched:
                self._say("      nothing was seen")
            for one in outcome.watched:
                self._say(f"      seen after {one.after_s:.1f} s:\n{seen_text(one.seen, indent=' ' * 10)}")

    def _watch(self, seen: Seen) -> None:
        if self._verbose:
            self._say(seen_text(seen, indent=" " * 10))

    def _say(self, text: str) -> None:
        if not self._quiet:
            self._waiting.say(text)


def _read(names: tuple[str, ...]) -> list[Play]:
    """Return the plays, or tell what is wrong with all of them."""
    plays, problems = [], []
    for path in _paths(names):
        try:
            plays.append(read_play(_called(path), path.read_text(encoding="utf-8")))
        except PlayError as error:
            problems.append(str(error))
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "is not UTF-8 text"
            problems.append(f"{path}: {why}")
    if problems:
        click.echo("\n".join(problems), err=True)
        sys.exit(2)
    return plays


def _paths(names: tuple[str, ...]) -> Iterator[Path]:
    for name in names or [str(folder) for folder in sorted(_SHIPPED.glob("*/plays"))]:
        path = Path(name)
        shipped = _SHIPPED / name / "plays"
        if not path.exists() and shipped.is_dir():
            path = shipped
        if not path.is_dir():
            yield path
            continue
        found = sorted(path.glob("*.toml"))
        if not found:
            raise click.UsageError(f"there is no play (*.toml) in {path}")
        yield from found


def _called(path: Path) -> str:
    try:
        return str(path.resolve().relative_to(Path.cwd()))
    except ValueError:
        return str(path)


def _channels(asked: tuple[str, ...], one: Play, trials: Trials) -> tuple[str, ...]:
    return trials.channels if "all" in asked else asked or (one.channel,)


def _account(asked: str, one: Play) -> str:
    name = asked or one.account
    if not name:
        raise click.UsageError(f"{one.name} names no account: expected --account")
    return name


def _line(step: Step) -> str:
    return said(str(step)).replace("\n", " ")


def _shortened(text: str, chars_max: int) -> str:
    return text if len(text) <= chars_max else text[: chars_max - 1] + "…"
