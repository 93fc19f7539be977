"""``switchboard simulate``: one signed delivery, as the platform would make it, and what its user sees."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import click
import msgspec

from gateway.cli.given import Seconds
from gateway.cli.trials import Trials, seen_text, told
from gateway.platforms.base import Act, Delivery, Say, Scene, Seen, Tap
from gateway.platforms.faults import FAULTS, Fault
from gateway.platforms.inbox import Inbox
from gateway.platforms.trial import Told, Trial, find

__all__ = ["simulate"]

#: Seconds of silence behind a message after which no more of the same answer is expected: a worker's second look, and
#: a platform's own pace, lie between two messages of one answer.
QUIET_S = 1.5
#: Seconds between two signs of life.
_LOOK_S = 1.0
#: Seconds in which what was shown before a response is known here.
_BEFORE_S = 0.2
_WAIT_S = Seconds(3_600, "an hour")


class _Made(msgspec.Struct, frozen=True):
    """A delivery that was made, for ``--json``."""

    what: str
    status: int
    took_s: float
    body: str


class _Saw(msgspec.Struct, frozen=True):
    """A message that was shown, for ``--json``: ``late`` if it did not come in the response."""

    text: str
    controls: list[str]
    pictures: list[str]
    notes: tuple[str, ...]
    kind: str
    late: bool
    after_s: float


@click.command()
@click.argument("channel")
@click.argument("account")
@click.argument("texts", metavar="[TEXT]...", nargs=-1)
@click.option("--tap", metavar="N|LABEL", help="Tap a button that was shown before, instead of a TEXT.")
@click.option("--user", default="you", show_default=True, help="Who speaks: a name is always the same person.")
@click.option("--thread", default="", help="A conversation beside the main one: a thread, a topic, a second chat.")
@click.option("--group", is_flag=True, help="In a room with others, where the bot is called by its name.")
@click.option("--repeat", default=0, metavar="N", type=click.IntRange(0, 20), help="Deliver it N times more.")
@click.option("--twin", is_flag=True, help="Deliver its twin too, where the platform has such (Slack, with --group).")
@click.option("--out-of-order", is_flag=True, help="Deliver the TEXTs in the reverse of their order.")
@click.option("--fault", type=click.Choice(FAULTS), help="What the platform does with the next message it is sent.")
@click.option("--fault-count", default=1, metavar="N", type=click.IntRange(1, 100), help="How many meet it (1).")
@click.option("--wait", "wait_s", default=30.0, metavar="SECONDS", type=_WAIT_S, help="To wait for an answer (30).")
@click.option("--quiet", "quiet_s", default=QUIET_S, metavar="SECONDS", type=_WAIT_S, help="Of silence to end (1.5).")
@click.option("--gateway", default="", metavar="URL", help="Where the gateway is, if not where this home says.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def simulate(
    *,
    channel: str,
    account: str,
    texts: tuple[str, ...],
    tap: str | None,
    user: str,
    thread: str,
    group: bool,
    repeat: int,
    twin: bool,
    out_of_order: bool,
    fault: str | None,
    fault_count: int,
    wait_s: float,
    quiet_s: float,
    gateway: str,
    as_json: bool,
) -> None:
    """Say TEXT to ACCOUNT on CHANNEL as one of its users, and show what that user sees.

    The gateway gets a delivery that is signed as the platform signs it.  Replies that come later go to the platforms'
    stand-in, which `switchboard up` runs: they are waited for.  Several TEXTs are said one after the other, without
    waiting for answers.  The exit status is 1 if the gateway refused or nothing was seen.
    """
    if bool(texts) == (tap is not None):
        raise click.UsageError("expected a TEXT, or --tap")
    if out_of_order and len(texts) < 2:
        raise click.UsageError("--out-of-order wants two TEXTs or more")
    trials = Trials(gateway)
    trial = trials.trial(channel, account)
    if tap is not None and "controls" not in trial.platform.shows:
        raise click.ClickException(f"there are no buttons on {channel}: say what stands on it")
    with told(trials):
        scene = trial.scene(user, thread, group=group)
        inbox = trial.open(scene)
        try:
            acts = _acts(texts, tap, inbox)
            if fault is not None:
                _set_fault(trial, fault, fault_count)
            run = _Run(trial, inbox, silent=as_json)
            run.deliver(_deliveries(trial, scene, acts, repeat, twin=twin, reverse=out_of_order))
            run.wait(wait_s, quiet_s, answers=len(acts))
        finally:
            if inbox is not None:
                inbox.close()
    if as_json:
        value = {"deliveries": run.made, "seen": run.saw}
        click.echo(msgspec.json.format(msgspec.json.encode(value)).decode())
    sys.exit(0 if run.is_well else 1)


class _Run:
    """What is delivered and what is seen, told while it happens."""

    def __init__(self, trial: Trial, inbox: Inbox | None, *, silent: bool) -> None:
        self._trial = trial
        self._inbox = inbox
        self._silent = silent
        self._begun = time.monotonic()
        self._last: Told | None = None
        self._is_waiting = False
        self.made: list[_Made] = []
        self.saw: list[_Saw] = []

    @property
    def is_well(self) -> bool:
        """Whether every delivery was taken, and somebody saw something, where that can be known."""
        taken = all(200 <= made.status < 300 for made in self.made)
        return taken and (self._inbox is None or any(saw.kind == "message" for saw in self.saw))

    def deliver(self, deliveries: Iterator[tuple[str, Delivery, int]]) -> None:
        """Make the deliveries, one behind the other."""
        for what, delivery, number in deliveries:
            done = self._trial.make(delivery, repeat=number)
            self._last = done
            body = done.answer.body.decode(errors="replace")
            self.made.append(_Made(what, done.answer.status, round(done.took_s, 3), body))
            self._say(f"{what}\n  ({_status(done)})")
            if self._inbox is not None and done.took_s > _LOOK_S:
                # What was heard while the response was waited for comes before it.
                while (seen := self._inbox.next(_BEFORE_S)) is not None:
                    self._show(seen, late=True)
            for seen in done.seen:
                self._show(seen, late=False)
            if self._inbox is not None and done.seen:
                self._inbox.keep(done.seen)

    def wait(self, wait_s: float, quiet_s: float, *, answers: int) -> None:
        """Show what comes until *wait_s* is over, or *answers* are there and *quiet_s* behind them nothing came."""
        if self._inbox is None:
            where = self._trial.platform.api_base_url(self._trial.account)
            click.echo(f"Replies go to {where}, which is not the stand-in: only the response can be shown.", err=True)
            return
        if self._last is None or not 200 <= self._last.answer.status < 300:
            return
        if any(seen.kind == "message" for seen in self._last.seen):
            return
        until = time.monotonic() + wait_s
        while not self._inbox.is_answered(self._last.answer) and (left_s := until - time.monotonic()) > 0:
            seen = self._inbox.next(min(left_s, _LOOK_S))
            if seen is None:
                self._sign_of_life()
                continue
            self._show(seen, late=True)
            shown = sum(saw.kind == "message" for saw in self.saw)
            if shown >= answers and self._inbox.is_answered(self._last.answer) is None:
                until = time.monotonic() + quiet_s
        while (seen := self._inbox.next(0)) is not None:
            self._show(seen, late=True)
        if not any(saw.kind == "message" for saw in self.saw):
            self._say(
                f"Nothing came within {wait_s:g} s.  `switchboard conversations list` shows whether a turn is there, "
                "`switchboard dead-letters list` what was given up."
            )

    def _show(self, seen: Seen, *, late: bool) -> None:
        after_s = time.monotonic() - self._begun
        labels = [control.label for control in seen.controls]
        pictures = [picture.url for picture in seen.pictures]
        self.saw.append(
            _Saw(seen.text, labels, pictures, seen.notes, seen.kind, late=late, after_s=round(after_s, 3))
        )
        where = f"after {after_s:.1f} s" if late else "in the response"
        what = f"{self._trial.account.name}, {where}" if seen.kind == "message" else f"a sign of life, {where}"
        self._say(f"{what}:\n{seen_text(seen)}")

    def _sign_of_life(self) -> None:
        if not self._silent and sys.stderr.isatty():
            waited_s = time.monotonic() - self._begun
            click.echo(f"\r… {waited_s:.0f} s", err=True, nl=False)
            self._is_waiting = True

    def _say(self, text: str) -> None:
        if self._is_waiting:
            # The sign of life stood on this line.
            click.echo("\r\033[K", err=True, nl=False)
            self._is_waiting = False
        if not self._silent:
            click.echo(text)


def _acts(texts: tuple[str, ...], tap: str | None, inbox: Inbox | None) -> list[Act]:
    if tap is None:
        return [Say(text) for text in texts]
    if inbox is None:
        raise click.ClickException("what this account's users are shown is with the real platform: nothing to tap here")
    try:
        control = find(inbox.past, tap)
    except LookupError as error:
        raise click.ClickException(str(error.args[0])) from None
    if control.url:
        raise click.ClickException(f"{control.label} opens {control.url}: no tap is reported for it")
    return [Tap(control)]


def _deliveries(
    trial: Trial, scene: Scene, acts: list[Act], repeat: int, *, twin: bool, reverse: bool
) -> Iterator[tuple[str, Delivery, int]]:
    """Yield each delivery with its name and its number as a redelivery."""
    made: list[tuple[str, Delivery, Delivery | None]] = []
    for act in acts:
        now = trial.scene(scene.user, scene.thread, group=scene.group)
        what = f"{scene.user}: {act.text}" if isinstance(act, Say) else f"{scene.user}: [tap] {act.control.label}"
        other = trial.platform.twin(trial.account, now, act) if twin else None
        if twin and other is None:
            hint = ": with --group" if trial.platform.name == "slack" else ""
            raise click.ClickException(f"{trial.platform.name} makes no twin of this{hint}")
        made.append((what, trial.platform.deliver(trial.account, now, act), other))
    for what, delivery, other in reversed(made) if reverse else made:
        yield what, delivery, 0
        if other is not None:
            yield f"{what}  [the twin]", other, 0
        for number in range(1, repeat + 1):
            yield f"{what}  [redelivery {number}]", delivery, number


def _set_fault(trial: Trial, fault: str, count: int) -> None:
    client = trial.client
    if client is None:
        raise click.ClickException(f"{trial.platform.name}/{trial.account.name} is sent nothing by the stand-in's way")
    client.tell(trial.platform.name, trial.account.name, msgspec.convert({"kind": fault}, Fault), count)


def _status(done: Told) -> str:
    answer = done.answer
    took = f"{answer.status} in {done.took_s * 1_000:.0f} ms"
    if 200 <= answer.status < 300:
        return took
    why = answer.body.decode(errors="replace").strip()
    return f"{took}: {why[:300]}" if why else took
