"""The ledger protocol of conversations, put before the search: who may step next, and what nobody may count on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.protocol import accept, direct, faults, kept, lane, outbox, ownership
from tests.protocol.model import Bounds, Event, State, Step, World, initial
from tests.protocol.properties import ENDS, at_rest, broken_by
from tests.protocol.rules import Rules
from tests.protocol.search import Explored, Model, search
from tests.protocol.trace import told

__all__ = ["explore"]

#: Steps that nobody may count on: the platform's, the operator's, and bad luck.
_WORLD: Final = frozenset(
    {"deliver", "crash", "pause", "cont", "drain", "tick.late", "tick.ledger"}
    | {"accept.lost", "accept.rolled_back", "settle.lost", "settle.rolled_back"}
    | {"claim.lost", "send.claim.lost", "direct.refused", "ask", "tell.take.lost", "tell.cut"}
)


def explore(bounds: Bounds, rules: Rules) -> Explored[Event, State]:
    """Visit every reachable state, or stop at the first broken promise."""
    world = World(bounds, rules)
    return search(
        Model(
            initial(bounds),
            lambda state: _successors(state, world),
            lambda before, event, after: broken_by(before, event, after, bounds),
            lambda state: at_rest(state, bounds),
            ENDS,
            _WORLD,
            told,
            bounds.states_max,
        )
    )


def _successors(state: State, world: World) -> Iterator[Step]:
    """Every step that anybody may take next."""
    yield from accept.deliveries(state, world.rules)
    for index, process in enumerate(state.processes):
        yield from accept.steps(state, index, process, world)
        yield from lane.steps(state, index, process, world)
        yield from ownership.steps(state, index, process, world)
        if world.bounds.asks:
            yield from kept.steps(state, index, process, world.rules)
        if world.bounds.replies:
            yield from outbox.steps(state, index, process, world.rules)
        if world.bounds.direct:
            yield from direct.steps(state, index, process, world.rules)
        yield from faults.steps(state, index, process)
