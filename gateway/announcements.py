"""Tells those who look on what happened: live pages of this process directly, other processes by a hint.

A hint is published only where somebody could need it: other gateways' pages and callers only while there are other
gateways, the workers only when there is something to send.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable

import msgspec

from gateway.assistants.preview import Delta, PartPreview
from gateway.assistants.preview import Preview as AssistantPreview
from gateway.conversations.draft import Preview
from gateway.conversations.live import Live
from gateway.domain import hint as hints
from gateway.domain.hint import Hint
from gateway.domain.job import partition_of
from gateway.domain.resilience.priority import Priority
from gateway.domain.turn import OutboxDraft, Settlement, Turn
from gateway.lanes.owner import Owner
from gateway.lanes.takeover import Takeover
from gateway.replies.results import Results
from gateway.store.job_hints import JobHints
from gateway.store.ledger.accept import Accepted as AcceptedTurn
from gateway.store.ledger.outbox import send_lane
from gateway.store.ledger.settle import Settled as SettledTurn
from gateway.store.signals import Signals

__all__ = ["Announcements", "Hearing"]


class Announcements:
    """What this process says."""

    def __init__(self, live: Live, signals: Signals, job_hints: JobHints, owner: Owner) -> None:
        self._live = live
        self._signals = signals
        self._job_hints = job_hints
        self._owner = owner
        self._previews = itertools.count()

    def accepted(self, turn: AcceptedTurn) -> None:
        """A message is in the ledger."""
        self._live.accepted(turn.conversation_id, turn.seq)
        self._tell_gateways(lambda: hints.Accepted(turn.conversation_id, turn.seq))

    def preview(self, turn: Turn, preview: AssistantPreview) -> None:
        """A piece of a reply that is still being made."""
        shown = _shown(preview)
        self._live.publish_preview(turn.conversation_id, turn.seq, shown)
        self._tell_gateways(
            lambda: hints.Previewed(
                turn.conversation_id,
                turn.seq,
                msgspec.Raw(msgspec.json.encode(shown)),
                origin=self._owner.process.process_id,
                number=next(self._previews),
            )
        )

    def settled(self, settlement: Settlement, settled: SettledTurn) -> None:
        """A turn has ended, and is committed."""
        turn = settlement.turn
        self._live.settled(turn.conversation_id, turn.seq)
        self._tell_gateways(lambda: hints.Settled(turn.conversation_id, turn.turn_id, turn.seq))
        if any(_is_for_workers(draft, settled) for draft in settlement.outbox):
            # Without names of jobs, because the answer that said them was lost, it is a hint to look.
            lane = send_lane(turn.conversation_id)
            self._job_hints.publish(partition_of(lane), Priority.HIGH, settled.push_jobs)
        if settled.heir is not None:
            self._signals.publish("gateways", hints.Handed(settled.heir, turn.conversation_id))

    def left_to_workers(self, conversation_id: int) -> None:
        """A reply that this process was to send has a job."""
        self._job_hints.publish(partition_of(send_lane(conversation_id)), Priority.HIGH, ())

    def orphaned(self) -> None:
        """There are lanes with work for whoever has room."""
        self._tell_gateways(hints.Orphans)

    def _tell_gateways(self, hint: Callable[[], Hint]) -> None:
        if self._owner.gateways > 1:
            self._signals.publish("gateways", hint())


class Hearing:
    """What this process does when others say something.

    Never raises: a process of another version may say what this one does not understand, and no hint is worth the end
    of the greenlet that listens.
    """

    def __init__(self, live: Live, results: Results, takeover: Takeover, owner: Owner) -> None:
        self._live = live
        self._results = results
        self._takeover = takeover
        self._owner = owner

    def hear(self, hint: Hint) -> None:
        """Look where the hint points."""
        match hint:
            case hints.Accepted():
                self._live.accepted(hint.conversation_id, hint.seq)
            case hints.Settled():
                self._live.settled(hint.conversation_id, hint.seq)
                self._results.hint(hint.turn_id)
            case hints.Previewed() if not self._is_me(hint.origin):
                with contextlib.suppress(msgspec.MsgspecError):
                    preview = msgspec.json.decode(hint.preview, type=Preview)
                    self._live.publish_preview(hint.conversation_id, hint.seq, preview)
            case hints.Orphans():
                self._takeover.hint()
            case hints.Handed() if self._is_me(hint.process_id):
                self._takeover.hint(hint.conversation_id)
            case _:
                pass

    def _is_me(self, process_id: int) -> bool:
        # Epoch 0: not in the ledger (yet), so nobody speaks of this process.
        return bool(self._owner.epoch) and process_id == self._owner.process.process_id


def _is_for_workers(draft: OutboxDraft, settled: SettledTurn) -> bool:
    # A push that was to be sent from here may have got a job all the same: others are to be sent before it.
    here = draft.claimed and not (draft.kind == "push" and settled.push_jobs)
    return not here and not draft.due_s


def _shown(preview: AssistantPreview) -> Preview:
    match preview:
        case Delta():
            return {"kind": "delta", "text": preview.text}
        case PartPreview():
            return {"kind": "part", "part": msgspec.to_builtins(preview.part)}
        case _:
            return {"kind": "typing"}
