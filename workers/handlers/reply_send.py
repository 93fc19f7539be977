"""Sends one reply: an outbox row, from its taking to its honest end.

    take ─▶ send (gateway/replies/sending.py) ─▶ end

Rules:

- The row is the truth, the job only carries it: a job is done once it has found its row ended.
- Whatever becomes of the send, the row gets an end or another try.
- A row that is no longer ours is not touched: others have called its fate unknown, and that is what it was.
- What waits for room at the platform goes back and was no try; its place is kept for it.
"""

from __future__ import annotations

import msgspec

from gateway.domain.errors import TryLater
from gateway.domain.job import Done, JobOutcome, Retry, Snooze
from gateway.replies.sending import tell
from gateway.store.ledger.outbox import OutboxRow
from workers.context import Context
from workers.registry import UNBOUNDED, job_handler

__all__ = ["SendReply", "reply_send"]

#: Seconds before a row is asked for again that somebody else has in his hands, or that an earlier one holds up.
_LOOK_AGAIN_S = 0.2
#: Seconds of the job's time that are left for writing the end when the send itself takes all of its own.
_END_S = 5.0


class SendReply(msgspec.Struct, frozen=True):
    """The payload, as ``outbox_carry`` writes it."""

    outbox_id: int


@job_handler(
    "reply.send",
    SendReply,
    # The row's tries are counted and bounded, by outbox.attempts_max; so is its time, by outbox.send_timeout_s.
    attempts_max=UNBOUNDED,
    time_limit_s=600.0,
    on_lease_lost="finish",
    in_flight_max=lambda settings: settings.outbox.sends_in_flight_max,
)
def reply_send(job: Context, payload: SendReply) -> JobOutcome:
    """Send it, if it is its turn."""
    try:
        taking = job.tools.sends.take(payload.outbox_id)
    except TryLater as error:
        return _look_again(error.reason)
    if taking.row is not None:
        return _send(job, taking.row)
    match taking.found:
        case "ended":
            return Done()
        case "earlier":
            # Not in our place: the job that carries the earlier one may stand behind us.
            return Snooze(job.tools.wall_clock() + _LOOK_AGAIN_S, "earlier")
        case "early":
            return Retry("early", after_s=taking.wait_s, counted=False)
        case _:
            return _look_again(taking.found)


def _look_again(reason: str) -> Retry:
    return Retry(reason, after_s=_LOOK_AGAIN_S, counted=False)


def _send(job: Context, row: OutboxRow) -> JobOutcome:
    sends = job.tools.sends
    finish = job.tools.sender.send(
        row, sends.put, no_later=job.deadline.less(_END_S), job_id=job.job.job_id, place=job.job.place
    )
    ours = sends.end(finish)
    tell(row, finish, ours=ours)
    if not ours or finish.fate == "unknown":
        # The ledger may want it sent once more, marked.
        return Retry(finish.reason, finish.detail, after_s=0.0, counted=False)
    if finish.fate in ("retry", "wait"):
        return Retry(finish.reason, finish.detail, after_s=finish.after_s, counted=finish.fate == "retry")
    return Done()
