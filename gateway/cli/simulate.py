"""``switchboard simulate``: one signed delivery, as the platform would make it, and what its user sees."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

import click
import msgspec

from gateway.cli.given import Seconds, Words
from gateway.cli.trials import Trials, gateway_option, said, seen_text, told
from gateway.cli.waiting import Waiting
from gateway.platforms.base import Act, Answer, Delivery, Offers, Say, Scene, Seen, Tap
from gateway.platforms.calls import NotThere
from gateway.platforms.faults import FAULTS, Fault, FaultKind
from gateway.platforms.inbox import Inbox
from gateway.platforms.trial import Told, Trial, find

__all__ = ["simulate"]

#: Seconds of silence behind a message after which no more of the same answer is expected: a worker's second look, and
#: a platform's own pace, lie between two messages of one answer.
QUIET_S = 1.5
#: Seconds of a response behind which something may have been heard before it.
_LONG_S = 1.0
#: Seconds in which what was shown before a response is known here.
_BEFORE_S = 0.2
_WAIT_S = Seconds(3_600, "an hour")
#: What not every platform has: the option that asks for it, and what to say where there is none.
_OFFERED: dict[Offers, tuple[str, str]] = {
    "groups": ("--group", "has no rooms with others"),
    "twins": ("--twin", "tells no message twice"),
    "faults": ("--fault", "is sent no messages that could meet one"),
}
#: What becomes of a message that meets a fault, by the fault.
_BECOMES: dict[FaultKind, str] = {
    "429": "sent again after the time that the platform asks for",
    "500": "not sent again, since it may have been shown: a dead letter, `unknown`",
    "slow": "shown, late",
    "cut": "shown, but the gateway cannot know it: not sent again, a dead letter, `unknown`",
}
_FAULT_HELP = (
    "What the platform does with the next message it is sent.  The answer is seen all the same after "
    "429 (sent again) and slow; after 500 and cut nobody knows whether it was, and it is not sent again."
)
#: A delivery, what it is called, and its number as a redelivery.
_Planned = tuple[str, Delivery, int]


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
@click.argument("texts", metavar="[TEXT]...", nargs=-1, type=Words())
@click.option("--tap", metavar="N|LABEL", type=Words(), help="Tap a button that was shown before, instead of a TEXT.")
@click.option("--user", default="you", show_default=True, type=Words(), help="Who speaks: one name is one person.")
@click.option("--thread", type=Words(), help="A conversation beside the main one: a thread, a topic, a second chat.")
@click.option("--group", is_flag=True, help="In a room with others, where the bot is called by its name.")
@click.option("--repeat", default=0, metavar="N", type=click.IntRange(0, 20), help="Deliver it N times more.")
@click.option("--twin", is_flag=True, help="Deliver its twin too, where the platform has such (Slack, with --group).")
@click.option("--out-of-order", is_flag=True, help="Deliver the TEXTs in the reverse of their order.")
@click.option("--fault", type=click.Choice(FAULTS), help=_FAULT_HELP)
@click.option("--fault-count", metavar="N", type=click.IntRange(1, 100), help="How many messages meet it (1).")
@click.option("--wait", "wait_s", default=30.0, metavar="SECONDS", type=_WAIT_S, help="To wait for an answer (30).")
@click.option("--quiet", "quiet_s", default=QUIET_S, metavar="SECONDS", type=_WAIT_S, help="Of silence to end (1.5).")
@gateway_option
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def simulate(
    *,
    channel: str,
    account: str,
    texts: tuple[str, ...],
    tap: str | None,
    user: str,
    thread: str | None,
    group: bool,
    repeat: int,
    twin: bool,
    out_of_order: bool,
    fault: FaultKind | None,
    fault_count: int | None,
    wait_s: float,
    quiet_s: float,
    gateway: str | None,
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
    if fault_count is not None and fault is None:
        raise click.UsageError("--fault-count wants --fault")
    trials = Trials(gateway)
    trial = trials.trial(channel, account)
    asked: dict[Offers, bool] = {"groups": group, "twins": twin, "faults": fault is not None}
    _refuse(trials, trial, tuple(what for what, is_asked in asked.items() if is_asked))
    if tap is not None and "controls" not in trial.platform.shows:
        raise click.UsageError(f"--tap: there are no buttons on {channel}: say what stands on it")
    with told(trials):
        scene = trial.scene(user, thread or "", group=group)
        inbox = trial.open(scene)
        try:
            acts = _acts(texts, tap, inbox)
            # All of it is known before anything is sent, or a fault told.
            planned = _planned(trial, scene, acts, repeat, twin=twin, reverse=out_of_order)
            if fault is not None:
                _set_fault(trial, scene, fault, fault_count or 1)
                if not as_json:
                    click.echo(f"(a message that meets {fault} is {_BECOMES[fault]})")
            run = _Run(trial, inbox, silent=as_json)
            run.deliver(planned)
            run.wait(wait_s, quiet_s, answers=len(acts))
        finally:
            if fault is not None:
                _take_back(trial, scene)
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
        self._waiting = Waiting(silent=silent)
        self._begun = time.monotonic()
        #: The answer to the last delivery that was taken.
        self._taken: Answer | None = None
        self.made: list[_Made] = []
        self.saw: list[_Saw] = []

    @property
    def is_well(self) -> bool:
        """Whether every delivery was taken, and somebody saw something, where that can be known."""
        taken = all(200 <= made.status < 300 for made in self.made)
        return taken and (self._inbox is None or bool(self._messages()))

    def deliver(self, planned: Sequence[_Planned]) -> None:
        """Make the deliveries, one behind the other."""
        for what, delivery, number in planned:
            with self._waiting.about("waiting for the response"):
                done = self._trial.make(delivery, repeat=number)
            if 200 <= done.answer.status < 300:
                self._taken = done.answer
            body = done.answer.body.decode(errors="replace")
            self.made.append(_Made(what, done.answer.status, round(done.took_s, 3), body))
            self._say(f"{said(what)}\n  ({said(_status(done))})")
            if self._inbox is not None and done.took_s > _LONG_S:
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
        in_responses = sum(not saw.late for saw in self._messages())
        if self._taken is None or in_responses >= answers:
            return
        with self._waiting.about("waiting for an answer"):
            self._wait(self._inbox, self._taken, wait_s, quiet_s, answers)
        if self._messages():
            return
        if self._inbox.is_answered(self._taken):
            self._say("The turn is over, and has nothing to show.")
        else:
            self._say(
                f"Nothing came within {wait_s:g} s.  `switchboard conversations list` shows whether a turn is there, "
                "`switchboard dead-letters list` what was given up."
            )

    def _wait(self, inbox: Inbox, taken: Answer, wait_s: float, quiet_s: float, answers: int) -> None:
        until = time.monotonic() + wait_s
        while not inbox.is_answered(taken) and (left_s := until - time.monotonic()) > 0:
            # In pieces: that a web chat's turn is over without a word is told by no message.
            if (seen := inbox.next(min(left_s, _LONG_S))) is None:
                continue
            self._show(seen, late=True)
            if len(self._messages()) >= answers and inbox.is_answered(taken) is None:
                until = time.monotonic() + quiet_s
        while (seen := inbox.next(0)) is not None:
            self._show(seen, late=True)

    def _messages(self) -> list[_Saw]:
        return [saw for saw in self.saw if saw.kind == "message"]

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

    def _say(self, text: str) -> None:
        if not self._silent:
            self._waiting.say(text)


def _refuse(trials: Trials, trial: Trial, asked: tuple[Offers, ...]) -> None:
    """Refuse what the platform has not, by the option that asked for it."""
    for what in asked:
        if what not in trial.platform.offers:
            option, lack = _OFFERED[what]
            others = ", ".join(trials.offering(what))
            raise click.UsageError(f"{option}: {trial.platform.name} {lack}; it is for {others}")


def _acts(texts: tuple[str, ...], tap: str | None, inbox: Inbox | None) -> list[Act]:
    if tap is None:
        return [Say(text) for text in texts]
    if inbox is None:
        raise click.ClickException("what this account's users are shown is with the real platform: nothing to tap here")
    try:
        control = find(inbox.past, tap)
    except LookupError as error:
        raise click.ClickException(said(str(error.args[0]))) from None
    if control.url:
        raise click.ClickException(said(f"{control.label} opens {control.url}: no tap is reported for it"))
    return [Tap(control)]


def _planned(
    trial: Trial, scene: Scene, acts: list[Act], repeat: int, *, twin: bool, reverse: bool
) -> list[_Planned]:
    """Return every delivery in the order in which it is made."""
    made: list[tuple[str, Delivery, Delivery | None]] = []
    for act in acts:
        now = trial.scene(scene.user, scene.thread, group=scene.group)
        what = f"{scene.user}: {act.text}" if isinstance(act, Say) else f"{scene.user}: [tap] {act.control.label}"
        other = trial.platform.twin(trial.account, now, act) if twin else None
        if twin and other is None:
            raise click.UsageError(
                f"--twin: {trial.platform.name} tells twice only what is said in a room with others (--group), "
                "and no command"
            )
        made.append((what, trial.platform.deliver(trial.account, now, act), other))
    planned: list[_Planned] = []
    for what, delivery, other in reversed(made) if reverse else made:
        planned.append((what, delivery, 0))
        if other is not None:
            planned.append((f"{what}  [the twin]", other, 0))
        planned += [(f"{what}  [redelivery {number}]", delivery, number) for number in range(1, repeat + 1)]
    return planned


def _set_fault(trial: Trial, scene: Scene, fault: FaultKind, count: int) -> None:
    if not trial.harm(scene, Fault(fault), count):
        where = trial.platform.api_base_url(trial.account)
        raise click.UsageError(f"--fault: replies go to {where}, which is not the stand-in and does nothing wrong")


def _take_back(trial: Trial, scene: Scene) -> None:
    """Leave nothing behind that would meet the next command's messages."""
    try:
        left = trial.spare(scene)
    except NotThere:
        return
    if left:
        click.echo(f"The fault met no message {left} time{'' if left == 1 else 's'}, and is taken back.", err=True)


def _status(done: Told) -> str:
    answer = done.answer
    took = f"{answer.status} in {done.took_s * 1_000:.0f} ms"
    if 200 <= answer.status < 300:
        return took
    why = answer.body.decode(errors="replace").strip()
    return f"{took}: {why[:300]}" if why else took
