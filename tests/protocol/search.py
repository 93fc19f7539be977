"""Breadth-first search through every state that a model can reach, and the shortest way to a broken one.

Two searches. The first checks each step as it is taken. The second goes backward from the states at rest,
over the steps that the system takes by itself: nothing that the world may or may not do, no fault, no SIGCONT.
A state that it does not meet is doomed, for nothing that is left running will ever end its work; as the graph
is finite, a fair scheduler brings every other state to rest.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable
from typing import Generic, NamedTuple, Protocol, TypeAlias, TypeVar

__all__ = ["Explored", "Model", "Violation", "search"]


class _Event(Protocol):
    @property
    def kind(self) -> str: ...


S = TypeVar("S")
E = TypeVar("E", bound=_Event)
#: A run: every step with the state that it led to.
_Run: TypeAlias = "tuple[tuple[E, S], ...]"


class Model(NamedTuple, Generic[E, S]):
    """What is searched: a start, every step from a state, and what is promised of both."""

    start: S
    successors: Callable[[S], Iterable[tuple[E, S]]]
    #: The promise that a step broke, if any.
    broken_by: Callable[[S, E, S], str | None]
    at_rest: Callable[[S], bool]
    #: The promise that a doomed state breaks.
    ends: str
    #: Kinds of steps that nobody may count on: the world's, the operator's, and bad luck.
    world: frozenset[str]
    told: Callable[[S, _Run[E, S]], str]
    states_max: int


class Violation(NamedTuple, Generic[E, S]):
    """A broken promise, and the shortest run that breaks it."""

    promise: str
    run: _Run[E, S]
    story: str

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of its events, in order."""
        return tuple(event.kind for event, _ in self.run)

    def __str__(self) -> str:
        """Tell the run step by step, with the ledger after each."""
        return f"broken: {self.promise}\n{self.story}"


class Explored(NamedTuple, Generic[E, S]):
    """What a search found."""

    states: int
    steps: int
    kinds: frozenset[str]  # of the steps taken
    violation: Violation[E, S] | None


def search(model: Model[E, S]) -> Explored[E, S]:
    """Visit every reachable state, or stop at the first broken promise."""
    # All that a search makes stays until its end and has no cycles: collections of garbage are a sixth of its time.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return _search(model)
    finally:
        if collecting:
            gc.enable()


def _search(model: Model[E, S]) -> Explored[E, S]:
    numbers: dict[S, int] = {model.start: 0}
    states: list[S] = [model.start]
    came_by: list[E | None] = [None]
    came_from = [-1]
    leads_from: list[list[int]] = [[]]  # per state: from where the system gets there by itself
    kinds: set[str] = set()
    steps = number = 0
    while number < len(states):
        state = states[number]
        for event, after in model.successors(state):
            steps += 1
            kinds.add(event.kind)
            known = numbers.get(after)
            if known is None:
                known = numbers[after] = len(states)
                states.append(after)
                came_by.append(event)
                came_from.append(number)
                leads_from.append([])
            if event.kind not in model.world:
                leads_from[known].append(number)
            broken = model.broken_by(state, event, after)
            if broken:
                run = (*_run(number, states, came_by, came_from), (event, after))
                return Explored(len(states), steps, frozenset(kinds), _violation(model, broken, run))
        number += 1
        if number > model.states_max:
            raise RuntimeError(f"more than states_max={model.states_max} states")
    doomed = _doomed(states, leads_from, model.at_rest)
    if doomed is None:
        return Explored(len(states), steps, frozenset(kinds), None)
    stranded = _violation(model, model.ends, _run(doomed, states, came_by, came_from))
    return Explored(len(states), steps, frozenset(kinds), stranded)


def _violation(model: Model[E, S], promise: str, run: _Run[E, S]) -> Violation[E, S]:
    return Violation(promise, run, model.told(model.start, run))


def _doomed(states: list[S], leads_from: list[list[int]], at_rest: Callable[[S], bool]) -> int | None:
    """Return the earliest state from which the system never comes to rest by itself."""
    saved = bytearray(len(states))
    border = [number for number, state in enumerate(states) if at_rest(state)]
    for number in border:
        saved[number] = 1
    while border:
        for before in leads_from[border.pop()]:
            if not saved[before]:
                saved[before] = 1
                border.append(before)
    doomed = saved.find(0)
    return None if doomed < 0 else doomed


def _run(number: int, states: list[S], came_by: list[E | None], came_from: list[int]) -> _Run[E, S]:
    """Return the steps from the start to a state."""
    steps: list[tuple[E, S]] = []
    while number:
        event = came_by[number]
        assert event is not None, "only the start came by nothing"
        steps.append((event, states[number]))
        number = came_from[number]
    return tuple(reversed(steps))
