"""The small worlds that are explored: which jobs, which workers, and what may go wrong in each.

One or two troubles each, as beside it. A calm worker is enough where the trouble is writers and looks.
"""

from __future__ import annotations

from typing import Final

from tests.protocol.jobs.model import Bounds, Spec

__all__ = ["LARGE_SCENARIOS", "SCENARIOS"]

_LANED: Final = Spec(1)
_FREE: Final = Spec(0)
_RETRIED: Final = Spec(1, ("retry", "done"))
_SNOOZED: Final = Spec(1, ("snooze", "done"))

SCENARIOS: Final = {
    "late": Bounds(jobs=(_LANED,) * 3, processes=1),
    "numbers apart": Bounds(jobs=(_FREE,) * 2, processes=1, numbers_apart=True),
    "cut": Bounds(jobs=(_FREE,) * 3, processes=1, rows_max=1),
    "cut lane": Bounds(jobs=(_LANED,) * 4, asked_before=3, open_before=1, processes=1, rows_max=2),
    "spill": Bounds(jobs=(_LANED,) * 4, asked_before=3, open_before=1, processes=1, lane_max=1),
    "asleep": Bounds(jobs=(_LANED, _RETRIED, _LANED), asked_before=2, open_before=1, processes=1, sleeps=True),
    "asleep at its owner's death": Bounds(jobs=(_RETRIED, _LANED), asked_before=2, crashes=1, sleeps=True),
    "stale": Bounds(jobs=(_FREE,) * 2, processes=1),
    "retry": Bounds(jobs=(_RETRIED, _LANED), asked_before=2, lost_replies=1, moves=1),
    "snooze": Bounds(jobs=(_SNOOZED, _LANED), lost_replies=1),
    "stray": Bounds(jobs=(Spec(0, ("snooze", "done")),), strays=1),
    "moves": Bounds(jobs=(_LANED, _LANED), asked_before=1, moves=1),
    "sleeper": Bounds(jobs=(_LANED, _LANED), asked_before=2, pauses=1),
    "crash": Bounds(jobs=(_LANED, _LANED), asked_before=1, crashes=1, lost_replies=1),
    "poison": Bounds(jobs=(_FREE,), asked_before=1, crashes=2, processes=3),
    "suspects": Bounds(jobs=(_FREE, _FREE), asked_before=2, crashes=2, processes=3),
    "held suspect": Bounds(jobs=(Spec(0, ("retry", "done")),), asked_before=1, crashes=2, processes=3),
    "bystanders": Bounds(jobs=(_RETRIED, _LANED), asked_before=2, crashes=1, moves=1),
}

LARGE_SCENARIOS: Final = {
    "moves there and back": Bounds(jobs=(_LANED, _LANED), asked_before=1, moves=2),
    "numbers apart, in a lane": Bounds(
        jobs=(_LANED,) * 3, processes=1, numbers_apart=True, states_max=2_000_000
    ),
    "spill, all late": Bounds(jobs=(_LANED,) * 4, processes=1, lane_max=1, states_max=1_000_000),
    "spill and cut": Bounds(jobs=(_LANED,) * 4, asked_before=1, processes=1, lane_max=2, rows_max=1),
    "asleep and spilled": Bounds(
        jobs=(_LANED, _RETRIED, _LANED, _LANED), asked_before=2, open_before=1, processes=1, lane_max=1, sleeps=True
    ),
    "asleep, moves and lost replies": Bounds(
        jobs=(_RETRIED, _LANED), asked_before=1, moves=1, lost_replies=1, sleeps=True
    ),
    "moves and lost replies": Bounds(jobs=(_LANED,) * 2, asked_before=1, moves=2, lost_replies=1),
    "sleeper and lost replies": Bounds(
        jobs=(_RETRIED, _LANED), asked_before=2, pauses=1, lost_replies=1, states_max=1_000_000
    ),
    "sleeper, writers and a move": Bounds(jobs=(_LANED,) * 2, pauses=1, moves=1, states_max=2_000_000),
    "crash and sleeper, three workers": Bounds(
        jobs=(_LANED, _LANED), asked_before=2, processes=3, crashes=1, pauses=1, states_max=2_000_000
    ),
    "snooze, moves and strays": Bounds(
        jobs=(_SNOOZED, _LANED), asked_before=2, strays=1, moves=1, lost_replies=1, states_max=1_000_000
    ),
    "poison in a lane": Bounds(
        jobs=(_LANED, _LANED), asked_before=2, crashes=2, moves=1, processes=3, states_max=1_000_000
    ),
}
