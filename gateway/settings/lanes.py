"""Lanes: how much may wait, how long an owner is believed to be alive, when a turn is given up."""

from __future__ import annotations

import msgspec

from gateway.settings.quantities import Count, Seconds

__all__ = ["LaneSettings"]


class LaneSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[lanes]``"""

    #: Turns of one conversation that wait for their place.
    lane_waiting_max: Count = 32
    #: Turns that one process runs at once.
    turns_in_flight_max: Count = 2_000
    #: Turns of one account that one process runs at once, so that a busy account cannot take all.
    account_turns_in_flight_max: Count = 1_000
    #: Turns of one tenant, of all its accounts together, that one process runs at once; empty: as many as there may be.
    tenant_turns_in_flight_max: Count | None = None
    #: Turns after which an owner offers its lane to the other processes: without it one process ends with
    #: most of the work.
    lane_turns_max: Count = 20
    #: Seconds between two beats of a process in the ledger.
    beat_s: Seconds = 1.0
    #: Seconds without a beat after which a process counts as dead and its lanes are taken over.
    dead_after_s: Seconds = 5.0
    #: Seconds of its lease that an owner does not use, so that it has stopped before another one starts.
    lease_margin_s: Seconds = 1.0
    #: Deaths of a process while it ran a turn, after which the turn is a dead letter.
    deaths_max: Count = 3
    #: Seconds between two looks for lanes without an owner, and for results of turns that run elsewhere.
    poll_s: Seconds = 0.5

    def __post_init__(self) -> None:
        if self.beat_s + self.lease_margin_s >= self.dead_after_s:
            raise ValueError(
                f"beat_s + lease_margin_s ({self.beat_s:g} + {self.lease_margin_s:g}) must be less than "
                f"dead_after_s ({self.dead_after_s:g}), or no process ever holds a lease"
            )
        if self.account_turns_in_flight_max > self.turns_in_flight_max:
            raise ValueError(
                f"account_turns_in_flight_max ({self.account_turns_in_flight_max}) must not be more than "
                f"turns_in_flight_max ({self.turns_in_flight_max})"
            )
        if (self.tenant_turns_in_flight_max or 0) > self.turns_in_flight_max:
            raise ValueError(
                f"tenant_turns_in_flight_max ({self.tenant_turns_in_flight_max}) must not be more than "
                f"turns_in_flight_max ({self.turns_in_flight_max})"
            )
