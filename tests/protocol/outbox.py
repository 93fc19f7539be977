"""Outbox: a sender claims the conversation's lowest unfinished reply, sends it, records the outcome."""

from __future__ import annotations

from collections.abc import Iterator

from tests.protocol.accept import epoch_is_current
from tests.protocol.lane import lease_holds
from tests.protocol.model import (
    FINAL,
    Event,
    Ledger,
    Process,
    Reply,
    ReplyState,
    Send,
    SendPhase,
    State,
    Step,
    with_process,
)
from tests.protocol.rules import Rules

__all__ = ["steps"]


def steps(state: State, index: int, process: Process, rules: Rules) -> Iterator[Step]:
    """What the sender of one process may do next."""
    send = process.send
    if not process.up:
        return
    if send is None:
        if not process.draining:
            yield from _claim(state, index, process, rules)
    elif send.phase == SendPhase.CLAIMED:
        if lease_holds(process, rules) or not rules.send_inside_lease:
            yield _send(state, index, process, send)
    else:
        yield _finish(state, index, process, send, rules)


def _claim(state: State, index: int, process: Process, rules: Rules) -> Iterator[Step]:
    """Mark the reply as being sent, and by whom, before it is sent."""
    ledger, me = state.ledger, (index, process.epoch)
    if rules.taking_checks_own_epoch and not epoch_is_current(ledger, *me):
        return
    for position, row in enumerate(ledger.outbox):
        if row.state in FINAL:
            continue
        sending = process._replace(send=Send(position, SendPhase.CLAIMED))
        if row.state == ReplyState.PENDING:
            claimed = ledger
            if rules.send_after_claim_commit:
                claimed = _with_reply(ledger, position, row._replace(state=ReplyState.SENDING, sender=me))
            yield Event("send.claim", index, row.seq), with_process(state, index, sending, claimed)
            if state.faults.lost_replies:
                lost = state.losing_a_reply()._replace(ledger=claimed)
                yield Event("send.claim.lost", index, row.seq), lost
        elif row.sender == me and not row.own and rules.sender_finds_own_claims:
            # Its one sender is idle, so the claim is one of which the reply was lost: nothing was sent.
            yield Event("send.reclaim", index, row.seq), with_process(state, index, sending)
        if rules.lowest_row_first:
            return


def _send(state: State, index: int, process: Process, send: Send) -> Step:
    """Put the reply on the wire, where it arrives."""
    row = state.ledger.outbox[send.position]
    arrived = _with_reply(state.ledger, send.position, row._replace(arrivals=row.arrivals + 1))
    sent = process._replace(send=send._replace(phase=SendPhase.SENT))
    return Event("send", index, row.seq), with_process(state, index, sent, arrived)


def _finish(state: State, index: int, process: Process, send: Send, rules: Rules) -> Step:
    """Record the outcome. What was given up on as unknown stays so: it is not this sender's any more."""
    row, ledger = state.ledger.outbox[send.position], state.ledger
    if row.sender == (index, process.epoch) or not rules.send_after_claim_commit:
        ledger = _with_reply(ledger, send.position, row._replace(state=ReplyState.SENT, sender=None))
    idle = process._replace(send=None)
    return Event("send.finish", index, row.seq), with_process(state, index, idle, ledger)


def _with_reply(ledger: Ledger, position: int, row: Reply) -> Ledger:
    outbox = ledger.outbox
    return ledger._replace(outbox=(*outbox[:position], row, *outbox[position + 1 :]))
