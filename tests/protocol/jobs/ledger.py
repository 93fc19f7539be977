"""What happens in the ledger without any worker: clients ask for jobs, time passes, what is due joins its lane."""

from __future__ import annotations

from collections.abc import Iterator

from tests.protocol.jobs.model import Event, JobState, Ledger, Row, State, Step, World, with_row

__all__ = ["lane_of", "steps"]


def steps(state: State, world: World) -> Iterator[Step]:
    """What clients and time may do next."""
    ledger = state.ledger
    asked = False
    for job, row in enumerate(ledger.rows):
        if row.state == JobState.UNASKED and not asked:
            # The next one only: which job is asked for first is a matter of the scenario.
            asked = True
            yield Event("ask", -1, job), state._replace(ledger=_ask(ledger, job, world))
        elif row.state == JobState.OPEN and not row.place:
            yield Event("ask.place", -1, job), state._replace(ledger=_place(ledger, job, row))
        elif row.state == JobState.OPEN:
            written = with_row(ledger, job, row._replace(state=JobState.READY))
            yield Event("ask.commit", -1, job), state._replace(ledger=written)
        elif row.state == JobState.READY and row.held:
            yield (
                Event("due", -1, job),
                state._replace(ledger=with_row(ledger, job, row._replace(held=False))),
            )
        elif row.state == JobState.SCHEDULED:
            yield Event("promote", -1, job), state._replace(ledger=_promote(ledger, job, row, world))


def lane_of(job: int, world: World) -> int:
    """Return the job's lane; 0: none."""
    return world.bounds.jobs[job].lane


def _ask(ledger: Ledger, job: int, world: World) -> Ledger:
    """Begin the transaction: it has its number, then its place."""
    number = ledger.next_number
    row = Row(JobState.OPEN, after=_ready_before(ledger, job, world))
    if not world.rules.xid_before_place:
        # It has a number only when it writes, which is in one step with its commit.
        return _place(ledger, job, row)
    begun = with_row(ledger, job, row._replace(xid=number))
    if world.bounds.numbers_apart:
        return begun._replace(next_number=number + 1)
    return _place(begun, job, begun.rows[job])


def _place(ledger: Ledger, job: int, row: Row) -> Ledger:
    number = ledger.next_number
    return with_row(ledger, job, row._replace(place=number))._replace(next_number=number + 1)


def _promote(ledger: Ledger, job: int, row: Row, world: World) -> Ledger:
    """The snoozed job is due: it joins its lane at its end, in one statement."""
    ready = row._replace(state=JobState.READY, after=_ready_before(ledger, job, world))
    if not world.rules.snooze_takes_new_place:
        return with_row(ledger, job, ready)
    place = ledger.next_number
    return with_row(ledger, job, ready._replace(place=place, xid=place))._replace(next_number=place + 1)


def _ready_before(ledger: Ledger, job: int, world: World) -> tuple[int, ...]:
    """Return the jobs of the same lane that anybody could see by now."""
    lane = lane_of(job, world)
    return tuple(
        other
        for other, row in enumerate(ledger.rows)
        if lane and other != job and row.state == JobState.READY and lane_of(other, world) == lane
    )
