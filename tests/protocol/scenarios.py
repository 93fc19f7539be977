"""The small worlds that are explored: which processes, which messages, and what may go wrong in each.

Several worlds with one or two troubles each find more than one world with all of them, which no machine
could finish. A world without faults has no safety nets either: they are for deaths and lost replies, and a
protocol that needs them on a calm day answers a second late.
"""

from __future__ import annotations

from typing import Final

from tests.protocol.model import Bounds

__all__ = ["LARGE_SCENARIOS", "SCENARIOS"]

SCENARIOS: Final = {
    "reply": Bounds(deliveries=(1,), replies=True, crashes=1),
    "replies": Bounds(deliveries=(0, 0), settled_before=2, replies=True, pauses=1, lost_replies=1),
    "direct": Bounds(deliveries=(1, 1), replies=True, direct=True, refusals=1, lost_replies=1, reconcile=False),
    "direct, crash": Bounds(deliveries=(1, 1), replies=True, direct=True, crashes=1, reconcile=False),
    "kept": Bounds(deliveries=(0,), settled_before=1, asks=3, crashes=1, pauses=1, lost_replies=1),
    "kept, three processes": Bounds(processes=3, deliveries=(0,), settled_before=1, asks=3, crashes=2),
    "poison": Bounds(processes=3, deliveries=(1,), crashes=2, attempts_max=2),
    "takeover": Bounds(deliveries=(1,), crashes=1, lost_replies=1),
    "lost replies": Bounds(deliveries=(2, 1), lost_replies=1, sweep=False, reconcile=False),
    "sleeper": Bounds(deliveries=(1, 1), pauses=1),
    "clocks": Bounds(deliveries=(1,), pauses=1, clocks=True),
    "drain": Bounds(deliveries=(1, 1), drains=1, lost_replies=1),
    "calm": Bounds(deliveries=(2, 1, 1), lane_waiting_max=2, sweep=False, reconcile=False),
    "crash": Bounds(deliveries=(1, 1), crashes=1, lost_replies=1),
}

LARGE_SCENARIOS: Final = {
    "crash and redelivery": Bounds(deliveries=(2, 1), crashes=1, lost_replies=1),
    "sleeper and lost replies": Bounds(deliveries=(1, 1), pauses=1, lost_replies=1),
    "calm, four messages": Bounds(deliveries=(1, 1, 1, 1), lane_waiting_max=3, sweep=False, reconcile=False),
    "calm, three processes": Bounds(
        processes=3, deliveries=(2, 1, 1), lane_waiting_max=2, sweep=False, reconcile=False
    ),
    "two lost replies": Bounds(deliveries=(2, 1, 1), lost_replies=2, sweep=False, reconcile=False),
    "replies, from the message on": Bounds(deliveries=(1, 1), replies=True, crashes=1, lost_replies=1),
    "direct, sleeper": Bounds(deliveries=(1, 1), replies=True, direct=True, pauses=1, refusals=1, states_max=1_000_000),
    "sleeper, drain and lost replies": Bounds(deliveries=(1, 1), pauses=1, drains=1, lost_replies=1),
    "sleeper, redelivery and lost replies": Bounds(
        deliveries=(2, 1), pauses=1, lost_replies=1, states_max=1_000_000
    ),
    "crash and sleeper, three processes": Bounds(
        processes=3, deliveries=(1, 1), crashes=1, pauses=1, states_max=1_000_000
    ),
    "clocks, two messages": Bounds(deliveries=(1, 1), pauses=1, clocks=True, states_max=1_000_000),
}
