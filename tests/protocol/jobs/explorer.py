"""The jobs protocol, put before the search: who may step next, and what nobody may count on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.protocol.jobs import feed, ledger, ownership, work
from tests.protocol.jobs.model import Bounds, Event, State, Step, World, initial
from tests.protocol.jobs.properties import ENDS, at_rest, broken_by
from tests.protocol.jobs.rules import Rules
from tests.protocol.jobs.trace import told
from tests.protocol.search import Explored, Model, search

__all__ = ["explore", "successors"]

#: Steps that nobody may count on: clients, operators, and bad luck.
_WORLD: Final = frozenset(
    {"ask", "move", "crash", "pause", "cont", "tick.late", "settle.given_up", "settle.stray", "look.mark"}
    | {"look.lost", "settle.lost", "take.lost", "release.lost"}
)


def explore(bounds: Bounds, rules: Rules) -> Explored[Event, State]:
    """Visit every reachable state, or stop at the first broken promise."""
    world = World(bounds, rules)
    return search(
        Model(
            initial(bounds),
            lambda state: successors(state, world),
            lambda before, event, after: broken_by(before, event, after, world),
            at_rest,
            ENDS,
            _WORLD,
            told,
            bounds.states_max,
        )
    )


def successors(state: State, world: World) -> Iterator[Step]:
    """Every step that anybody may take next."""
    yield from ledger.steps(state, world)
    for index, process in enumerate(state.processes):
        yield from feed.steps(state, index, process, world)
        yield from work.steps(state, index, process, world)
        yield from ownership.steps(state, index, process, world)
    yield from work.strays(state, world)
