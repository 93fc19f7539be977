"""How the messages of a settled turn leave: in the response of their delivery, by the outbox, or read from the ledger.

    the channel's users read the ledger themselves      nothing is sent, so nothing can be lost
    a caller here promised to take it into its response  a row that this process is already sending
    a caller elsewhere may still be waiting              a row that it may take until its time is over, then a push
    anything else, and every further message             a push, by this process where it has room, or by a worker

Where nothing can be pushed (``next_turn``), a row is kept instead: one for a turn, because what is told later is
rendered anew.

Pure, but for asking whether a caller promises, and whether there is room to send: each is asked once, at this very
moment, because the answer binds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from gateway.domain.capabilities import Capabilities
from gateway.domain.turn import OutboxDraft, Turn
from gateway.replies.results import PROMISED_S

__all__ = ["no_room", "way_out"]


def no_room(_: int) -> bool:
    """Have no room: workers send all."""
    return False


def way_out(
    turn: Turn,
    capabilities: Capabilities,
    payloads: Sequence[dict[str, Any]],
    *,
    promised: Callable[[], bool],
    here: int,
    room: Callable[[int], bool] = no_room,
    kept_s: float = 0.0,
    is_empty: bool = False,
) -> tuple[OutboxDraft, ...]:
    """Return the outbox rows of a turn's rendered messages.

    *promised* makes a waiting caller of this process take the reply, if one has the time; *here* is this process's id;
    *room* reserves room for so many messages, if this process has it, which it then sends itself.
    *kept_s*: seconds for which a reply is kept, where it is; one that *is_empty* says nothing and is not.
    """
    if capabilities.late == "stream":
        return ()
    resend = capabilities.unknown == "resend_marked"
    keeps = capabilities.late == "next_turn"
    drafts = [OutboxDraft(kind="push", payload=payload, resend_unknown=resend) for payload in payloads]
    if keeps:
        drafts = [msgspec.structs.replace(draft, kind="response", kept_s=kept_s) for draft in drafts[:1]]
    if drafts and capabilities.answers_in_response:
        left_s = capabilities.answer_by_s - turn.age_s
        if promised():
            drafts[0] = _response(drafts[0], claimed=True)
        elif turn.accepted_by != here and left_s > 0:
            drafts[0] = _response(drafts[0], due_s=left_s + PROMISED_S)
        elif keeps and is_empty:
            return ()
    if drafts and all(draft.kind == "push" for draft in drafts) and room(len(drafts)):
        drafts = [msgspec.structs.replace(draft, claimed=True) for draft in drafts]
    return tuple(drafts)


def _response(draft: OutboxDraft, *, claimed: bool = False, due_s: float = 0.0) -> OutboxDraft:
    return msgspec.structs.replace(draft, kind="response", due_s=due_s, claimed=claimed)
