"""Breadth-first search through every state that the model can reach, and the shortest way to a broken one.

Two searches. The first checks each step as it is taken. The second goes backward from the states at rest,
over the steps that the system takes by itself: no new delivery, no fault, no SIGCONT, no late tick. A state
that it does not meet is doomed, for nothing that is left running will ever end its turns; as the graph is
finite, a fair scheduler brings every other state to rest.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.protocol import accept, faults, lane, outbox, ownership
from tests.protocol.model import Bounds, Event, State, Step, World, initial
from tests.protocol.properties import ENDS, at_rest, broken_by
from tests.protocol.rules import Rules
from tests.protocol.trace import told

__all__ = ["Explored", "Violation", "explore"]

#: Steps that nobody may count on: the platform's, the operator's, and bad luck.
_WORLD: Final = frozenset(
    {"deliver", "crash", "pause", "cont", "drain", "tick.late", "tick.ledger"}
    | {"accept.lost", "accept.rolled_back", "settle.lost", "settle.rolled_back"}
    | {"claim.lost", "send.claim.lost"}
)


class Violation(NamedTuple):
    """A broken promise, and the shortest run that breaks it."""

    promise: str
    start: State
    steps: tuple[Step, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of its events, in order."""
        return tuple(event.kind for event, _ in self.steps)

    def __str__(self) -> str:
        """Tell the run step by step, with the ledger after each."""
        return f"broken: {self.promise}\n{told(self.start, self.steps)}"


class Explored(NamedTuple):
    """What a search found."""

    states: int
    steps: int
    kinds: frozenset[str]  # of the steps taken
    violation: Violation | None


def explore(bounds: Bounds, rules: Rules) -> Explored:
    """Visit every reachable state, or stop at the first broken promise."""
    world, start = World(bounds, rules), initial(bounds)
    numbers: dict[State, int] = {start: 0}
    states, came_by, came_from = [start], [Event("start", 0)], [-1]
    leads_from: list[list[int]] = [[]]  # per state: from where the system gets there by itself
    kinds: set[str] = set()
    steps = number = 0
    while number < len(states):
        state = states[number]
        for event, after in _successors(state, world):
            steps += 1
            kinds.add(event.kind)
            known = numbers.get(after)
            if known is None:
                known = numbers[after] = len(states)
                states.append(after)
                came_by.append(event)
                came_from.append(number)
                leads_from.append([])
            if event.kind not in _WORLD:
                leads_from[known].append(number)
            broken = broken_by(state, event, after, bounds)
            if broken:
                run = (*_run(number, states, came_by, came_from), (event, after))
                return Explored(len(states), steps, frozenset(kinds), Violation(broken, start, run))
        number += 1
        if number > bounds.states_max:
            raise RuntimeError(f"more than states_max={bounds.states_max} states within {bounds}")
    doomed = _doomed(states, leads_from, bounds)
    if doomed is None:
        return Explored(len(states), steps, frozenset(kinds), None)
    stranded = Violation(ENDS, start, _run(doomed, states, came_by, came_from))
    return Explored(len(states), steps, frozenset(kinds), stranded)


def _successors(state: State, world: World) -> Iterator[Step]:
    """Every step that anybody may take next."""
    yield from accept.deliveries(state, world.rules)
    for index, process in enumerate(state.processes):
        yield from accept.steps(state, index, process, world)
        yield from lane.steps(state, index, process, world)
        yield from ownership.steps(state, index, process, world)
        if world.bounds.replies:
            yield from outbox.steps(state, index, process, world.rules)
        yield from faults.steps(state, index, process)


def _doomed(states: list[State], leads_from: list[list[int]], bounds: Bounds) -> int | None:
    """Return the earliest state from which the system never comes to rest by itself."""
    saved = bytearray(len(states))
    border = [number for number, state in enumerate(states) if at_rest(state, bounds)]
    for number in border:
        saved[number] = 1
    while border:
        for before in leads_from[border.pop()]:
            if not saved[before]:
                saved[before] = 1
                border.append(before)
    doomed = saved.find(0)
    return None if doomed < 0 else doomed


def _run(number: int, states: list[State], came_by: list[Event], came_from: list[int]) -> tuple[Step, ...]:
    """Return the steps from the start to a state."""
    steps: list[Step] = []
    while number:
        steps.append((came_by[number], states[number]))
        number = came_from[number]
    return tuple(reversed(steps))
