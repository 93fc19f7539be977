"""Hints between processes: "look at the ledger now".

A hint carries ids, never content (previews apart, which are nothing but a show), and may be lost or come twice: every
one of them only brings forward what a poll would find.
"""

from __future__ import annotations

import msgspec

__all__ = [
    "Accepted", "CircuitClosed", "CircuitOpened", "Handed", "Hint", "JobDropped", "JobsPaused",
    "OrdersChanged", "Orphans", "PartitionsFree", "Previewed", "Settled",
]  # fmt: skip


class Accepted(msgspec.Struct, frozen=True, tag="accepted"):
    """A conversation has a new turn."""

    conversation_id: int
    seq: int


class Settled(msgspec.Struct, frozen=True, tag="settled"):
    """A turn has ended."""

    conversation_id: int
    turn_id: int
    seq: int


class Previewed(msgspec.Struct, frozen=True, tag="previewed"):
    """A piece of a reply that is still being made."""

    conversation_id: int
    seq: int
    preview: msgspec.Raw
    #: Who shows it: that process hears its own hints too, and has shown this piece already.
    origin: int
    #: Counts the origin's previews: two pieces that are alike are two pieces.
    number: int


class Handed(msgspec.Struct, frozen=True, tag="handed"):
    """A lane was handed over to a process."""

    process_id: int
    conversation_id: int


class Orphans(msgspec.Struct, frozen=True, tag="orphans"):
    """There are lanes with work and no owner."""


class CircuitOpened(msgspec.Struct, frozen=True, tag="circuit_opened"):
    """A process found the endpoint (its label) failing.  Whoever hears it believes its own calls all the same."""

    endpoint: str
    #: Who found it: that process hears its own hints too.
    origin: int


class CircuitClosed(msgspec.Struct, frozen=True, tag="circuit_closed"):
    """A process found the endpoint well again, by its own calls."""

    endpoint: str
    origin: int


class OrdersChanged(msgspec.Struct, frozen=True, tag="orders_changed"):
    """An operator ordered something of circuit breakers, or took an order back."""


class JobsPaused(msgspec.Struct, frozen=True, tag="jobs_paused"):
    """An operator paused or resumed a kind of jobs."""


class JobDropped(msgspec.Struct, frozen=True, tag="job_dropped"):
    """An operator dropped a job, which the owner of its partition may have read already."""

    job_id: int
    partition: int


class PartitionsFree(msgspec.Struct, frozen=True, tag="partitions_free"):
    """Partitions of jobs are to be had, or a worker came or goes: each should look at its share."""


Hint = (
    Accepted
    | Settled
    | Previewed
    | Handed
    | Orphans
    | CircuitOpened
    | CircuitClosed
    | OrdersChanged
    | PartitionsFree
    | JobsPaused
    | JobDropped
)
