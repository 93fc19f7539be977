"""Playing a play: each step done and watched, until what it expects has been seen or its time is over."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator
from typing import Literal

import msgspec

from gateway.platforms.base import Act, Answer, Say, Scene, Seen, Tap
from gateway.platforms.calls import NotThere
from gateway.platforms.faults import Fault
from gateway.platforms.inbox import Inbox
from gateway.platforms.plays.play import Expectation, Play, Step
from gateway.platforms.trial import Told, Trial, find

__all__ = ["Outcome", "State", "Watched", "perform"]

#: Seconds of silence in which the rest of an answer has come that comes in several messages.
REST_S = 0.3
#: The same where a step counts its messages: a worker's second look, and a platform's own pace, lie between two.
QUIET_S = 1.5

State = Literal["passed", "failed", "left_out", "not_played"]


class Watched(msgspec.Struct, frozen=True):
    """A message, and the seconds behind the beginning of its step."""

    seen: Seen
    after_s: float


class Outcome(msgspec.Struct, frozen=True):
    """What became of a step.  ``problem`` says what failed; ``notes``, what could not be asked on this channel."""

    step: Step
    state: State
    took_s: float = 0.0
    problem: str = ""
    watched: tuple[Watched, ...] = ()
    notes: tuple[str, ...] = ()


class _CannotPlay(Exception):
    """The step cannot be done: what it taps is not there, say."""


def perform(
    play: Play,
    trial: Trial,
    run: str,
    *,
    before: Callable[[Step], None] | None = None,
    watch: Callable[[Seen], None] | None = None,
) -> Iterator[Outcome]:
    """Yield the outcome of each step; behind one that fails no other is played.

    *run* makes the people and rooms of this performance others than those of the last, whom an assistant may remember.
    *before* is told of each step that is about to be played, *watch* of each message.

    :raises NotThere: the gateway or the stand-in does not answer from the beginning; what goes away later fails a step.
    """
    stage = _Stage(trial, run, watch or (lambda _seen: None))
    has_failed = False
    try:
        for step in play.steps:
            if has_failed:
                yield Outcome(step, "not_played")
            elif step.on and trial.platform.name not in step.on:
                yield Outcome(step, "left_out", notes=(f"not on {trial.platform.name}",))
            else:
                if before is not None:
                    before(step)
                outcome = stage.play(step)
                has_failed = outcome.state == "failed"
                yield outcome
    finally:
        stage.close()


class _Stage:
    """The people of a performance and what they see."""

    def __init__(self, trial: Trial, run: str, watch: Callable[[Seen], None]) -> None:
        self._trial = trial
        self._run = run
        self._watch = watch
        self._inboxes: dict[tuple[str, str, bool], Inbox] = {}
        #: What each of them has seen: what can be tapped.
        self._seen: dict[tuple[str, str, bool], list[Seen]] = {}
        self._has_been_heard = False
        #: Where faults were told.
        self._harmed: list[Scene] = []

    def play(self, step: Step) -> Outcome:
        begun = time.monotonic()
        if step.pause_s is not None:
            time.sleep(step.pause_s)
        watched: list[Watched] = []
        asked, notes = self._askable(step)
        try:
            if step.fault is not None and not self._harm(step, step.fault):
                return Outcome(step, "left_out", notes=(f"no message on {self._trial.platform.name} can meet one",))
            problem = self._watched(step, asked, begun, watched)
        except _CannotPlay as error:
            problem = str(error)
        except NotThere as error:
            if not self._has_been_heard:
                raise
            problem = str(error)
        took_s = round(time.monotonic() - begun, 3)
        return Outcome(step, "failed" if problem else "passed", took_s, problem, tuple(watched), notes)

    def close(self) -> None:
        for inbox in self._inboxes.values():
            inbox.close()
        for scene in self._harmed:
            with contextlib.suppress(NotThere):
                self._trial.spare(scene)

    def _harm(self, step: Step, fault: Fault) -> bool:
        _, scene = self._scene(step)
        self._harmed.append(scene)
        return self._trial.harm(scene, fault, step.fault_count)

    def _watched(
        self, step: Step, asked: tuple[Expectation, ...], begun: float, watched: list[Watched]
    ) -> str:
        """Do the step, fill *watched*, and return what is missing, or an empty string."""
        speaks = step.say is not None or step.tap is not None
        if not speaks and not asked:
            return ""
        key, scene = self._scene(step)
        inbox = self._inbox(key, scene)

        def see(seen: Seen) -> None:
            self._seen[key].append(seen)
            self._watch(seen)
            if seen.kind == "message":
                watched.append(Watched(seen, round(time.monotonic() - begun, 3)))

        until = time.monotonic() + step.within_s
        answer: Answer | None = None
        if speaks:
            for told in self._spoken(step, key, scene, inbox):
                answer = told.answer
                for seen in told.seen:
                    see(seen)
        some = [one for one in asked if not one.is_of_all]
        while not all(_is_met(one, watched) for one in some) and (left_s := until - time.monotonic()) > 0:
            if (arrived := inbox.next(left_s)) is not None:
                see(arrived)
        missing = [one for one in some if not _is_met(one, watched)]
        if missing:
            return "\n".join(f"expected, within {step.within_s:g} s, {one}{_nearly(one, watched)}" for one in missing)
        silence_s = _silence_s(asked, until, is_answered=answer is not None and inbox.is_answered(answer) is True)
        # An assistant that never ends must not keep the play from its end.
        last_at = until + silence_s
        while asked and (arrived := inbox.next(min(silence_s, last_at - time.monotonic()))) is not None:
            see(arrived)
        broken = [one for one in asked if one.is_of_all and not _holds(one, watched)]
        return "\n".join(f"expected {one}{_instead(one, watched)}" for one in broken)

    def _spoken(
        self, step: Step, key: tuple[str, str, bool], scene: Scene, inbox: Inbox
    ) -> Iterator[Told]:
        """Do what the step does, and yield what came back: of a repeat nothing, for it shows nothing new."""
        trial = self._trial
        act = self._act(step, key)
        deliveries = [trial.platform.deliver(trial.account, scene, act)]
        twin = trial.platform.twin(trial.account, scene, act) if step.twin else None
        if twin is not None:
            deliveries.append(twin)
        for delivery in deliveries:
            for number in range(step.repeat + 1):
                told = trial.make(delivery, repeat=number)
                self._has_been_heard = True
                if not 200 <= told.answer.status < 300:
                    why = told.answer.body.decode(errors="replace").strip()[:300]
                    raise _CannotPlay(f"the gateway refused it: {told.answer.status} {why}".rstrip())
                inbox.keep(told.seen)
                if not number:
                    yield told

    def _act(self, step: Step, key: tuple[str, str, bool]) -> Act:
        if step.say is not None:
            return Say(step.say)
        assert step.tap is not None, "asked for only if one of both is there"
        if "controls" not in self._trial.platform.shows:
            # Who cannot tap a button says what stands on it.
            return Say(step.tap)
        try:
            control = find(tuple(self._seen[key]), step.tap)
        except LookupError as error:
            raise _CannotPlay(str(error.args[0])) from None
        if control.url:
            raise _CannotPlay(f"{control.label!r} opens {control.url}: no tap is reported for it")
        return Tap(control)

    def _scene(self, step: Step) -> tuple[tuple[str, str, bool], Scene]:
        user, thread = f"{step.user} {self._run}", f"{step.thread} {self._run}" if step.thread else ""
        # Where there are no such rooms, what would be said there is said between the two of them.
        group = step.group and "groups" in self._trial.platform.offers
        return (user, thread, group), self._trial.scene(user, thread, group=group, room=self._run)

    def _inbox(self, key: tuple[str, str, bool], scene: Scene) -> Inbox:
        if key not in self._inboxes:
            inbox = self._trial.open(scene)
            if inbox is None:
                where = self._trial.platform.api_base_url(self._trial.account)
                raise _CannotPlay(f"replies go to {where}, which is not the stand-in: nobody can see them")
            self._inboxes[key] = inbox
            self._seen[key] = list(inbox.past)
        return self._inboxes[key]

    def _askable(self, step: Step) -> tuple[tuple[Expectation, ...], tuple[str, ...]]:
        """Return what can be expected on this channel, and what is not done or looked for on it."""
        shows, offers, name = self._trial.platform.shows, self._trial.platform.offers, self._trial.platform.name
        notes, asked = [], []
        if step.group and "groups" not in offers:
            notes.append(f"no rooms with others on {name}: said between the two of them")
        if step.twin and "twins" not in offers:
            notes.append(f"no twins on {name}: delivered once")
        for each in step.expect:
            one = each
            if one.button and "controls" not in shows:
                notes.append(f"no buttons on {name}: {one.button!r} not looked for")
                one = msgspec.structs.replace(one, button="")
            if one.image and "pictures" not in shows:
                notes.append(f"no images on {name}")
                one = msgspec.structs.replace(one, image=False)
            asked.append(one)
        return tuple(asked), tuple(notes)


def _silence_s(asked: tuple[Expectation, ...], until: float, *, is_answered: bool) -> float:
    """Return for how long nothing must come, so that all that belongs to the step has."""
    if any(one.none for one in asked):
        return max(0.0, until - time.monotonic())
    if any(one.messages is not None for one in asked):
        return QUIET_S
    if is_answered:
        return 0.0
    return QUIET_S if any(one.lacks for one in asked) else REST_S


def _is_met(expectation: Expectation, watched: list[Watched]) -> bool:
    return any(_fits(expectation, one.seen) for one in watched)


def _fits(expectation: Expectation, seen: Seen) -> bool:
    return not _lacking(expectation, seen)


def _lacking(expectation: Expectation, seen: Seen) -> list[str]:
    """Return what a message has not of all that is expected of it."""
    labels = [control.label.casefold() for control in seen.controls]
    # What stands on a button is read as well as what stands above it.
    words = "\n".join([seen.text, *(control.label for control in seen.controls)])
    button = expectation.button.casefold()
    return [
        *([repr(expectation.contains)] if expectation.contains.casefold() not in words.casefold() else []),
        *([f"a match of {expectation.matches!r}"] if re.search(expectation.matches, words) is None else []),
        *([f"a button {expectation.button!r}"] if button and not any(button in label for label in labels) else []),
        *(["an image"] if expectation.image and not seen.pictures else []),
    ]


def _nearly(expectation: Expectation, watched: list[Watched]) -> str:
    """Return what is missing from the message that comes nearest, if one has some of what is expected."""
    lacking = min((_lacking(expectation, one.seen) for one in watched), key=len, default=[])
    return f"; what came nearest lacks {' and '.join(lacking)}" if 0 < len(lacking) < expectation.conditions else ""


def _instead(expectation: Expectation, watched: list[Watched]) -> str:
    return f", got {len(watched)}" if expectation.messages is not None else ""


def _holds(expectation: Expectation, watched: list[Watched]) -> bool:
    if expectation.none:
        return not watched
    if expectation.messages is not None:
        return len(watched) == expectation.messages
    return not any(expectation.lacks.casefold() in one.seen.text.casefold() for one in watched)
