"""Writes a message that answers nothing to a conversation: a turn of its own, and what is to be sent of it.

    where was its last turn said? ─▶ render for that place ─▶ write turn, outbox rows and their carriers in one commit

Rules:

- What waits or runs in the conversation comes first, with its answer: the message waits for it, and that is no try.
- It is written once, by the name under which it was asked for, whichever process dies when.
- A channel whose users read the ledger themselves is sent nothing: its pages show the turn.
- Where nothing can be sent it is kept, and told in the response of the next turn.
"""

from __future__ import annotations

from gateway import telemetry
from gateway.domain.hint import Accepted, Settled
from gateway.domain.job import Bury, Done, JobOutcome, Retry
from gateway.domain.resilience.priority import Priority
from gateway.jobs.pushes import MESSAGE_PUSH, MessagePush
from gateway.replies.kept import kept_s
from gateway.store.ledger import push as rows
from gateway.store.ledger.outbox import send_lane
from gateway.store.ledger.push import Place, Pushed
from workers.context import Context
from workers.registry import job_handler

__all__ = ["message_push"]

#: Seconds before it is tried again while the conversation has work, at least; twice that at most.
_BUSY_S = 0.5


@job_handler(MESSAGE_PUSH, MessagePush, time_limit_s=30.0)
def message_push(job: Context, payload: MessagePush) -> JobOutcome:
    """Write it."""
    tools, conversation_id = job.tools, payload.conversation_id
    where = tools.database.run(lambda cursor: rows.place(cursor, conversation_id))
    if where is None:
        return Bury("no_such_conversation", f"there is no conversation {conversation_id} any more")
    pushed = _push(job, payload, where)
    if not isinstance(pushed, Pushed):
        return pushed
    if pushed.outcome == "busy":
        return Retry("busy", after_s=_BUSY_S * (1 + tools.draw()), counted=False)
    if pushed.outcome == "gone":
        return Bury("no_such_conversation", f"there is no conversation {conversation_id} any more")
    if pushed.seq:
        tools.signals.publish("gateways", Accepted(conversation_id, pushed.seq))
        tools.signals.publish("gateways", Settled(conversation_id, pushed.turn_id, pushed.seq))
    if pushed.push_jobs:
        tools.jobs.tell(send_lane(conversation_id), Priority.HIGH, pushed.push_jobs)
    telemetry.event(
        "message.pushed",
        channel=where.channel,
        account=where.account,
        outcome=pushed.outcome,
        conversation_id=conversation_id,
        trace_id=job.trace_id,
    )
    return Done({"turn_id": pushed.turn_id, "seq": pushed.seq})


def _push(job: Context, payload: MessagePush, where: Place) -> Pushed | Bury:
    tools = job.tools
    channel = tools.channels.get(where.channel)
    account = tools.settings.accounts.get((where.channel, where.account))
    if channel is None or account is None:
        return Bury(
            "account_gone", f"the settings have no account {where.account!r} on {where.channel!r} any more"
        )
    found = channel.unasked(where.surface, where.address)
    if found is None:
        return Bury("no_way", f"channel {where.channel!r} has no way for what answers nothing")
    surface, address = found
    capabilities = channel.surfaces[surface]
    keeps = capabilities.late == "next_turn"
    rendered = channel.render(payload.reply, surface, address, account)
    return tools.database.run(
        lambda cursor: rows.push(
            cursor,
            tools.owner.process,
            payload.conversation_id,
            Place(
                where.channel, where.account, where.conversation_key, where.user_id, surface, address
            ),
            payload.reply,
            once=payload.once or f"job:{job.job_id}",
            # What is kept is one row: it is rendered anew when it is told.
            payloads=() if capabilities.late == "stream" else rendered.payloads[: 1 if keeps else None],
            degraded=rendered.degraded,
            resend_unknown=capabilities.unknown == "resend_marked",
            kept_s=kept_s(account) if keeps else None,
            trace_id=job.trace_id,
        )
    )
