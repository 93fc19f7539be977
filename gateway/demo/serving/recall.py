"""What must be recalled between calls: answers given, and the newest fence of each conversation.

Both are bounded and in memory.  A restart forgets them, and loses nothing by it: a sample gives the same answer to
the same turn anyway, and the gateway's ledger refuses what an old owner writes.
"""

from __future__ import annotations

from collections import OrderedDict

__all__ = ["Fences", "Repeats"]

#: How long the answer to an idempotency key is kept.
REPEATS_KEPT_S = 600.0
REPEATS_MAX = 2_000
CONVERSATIONS_MAX = 20_000


class Repeats:
    """Answers by idempotency key: a call that comes again gets the same bytes again."""

    def __init__(self, *, kept_s: float = REPEATS_KEPT_S, count_max: int = REPEATS_MAX) -> None:
        self._kept_s = kept_s
        self._count_max = count_max
        self._answers: OrderedDict[tuple[str, str], tuple[float, bytes]] = OrderedDict()

    def given(self, conversation: str, key: str, now_s: float) -> bytes | None:
        """Return the answer given to *key* in *conversation* not too long before *now_s* (monotonic seconds)."""
        known = self._answers.get((conversation, key))
        return known[1] if known and now_s < known[0] else None

    def keep(self, conversation: str, key: str, answer: bytes, now_s: float) -> None:
        """Keep *answer*; the oldest goes when there are too many."""
        self._answers[conversation, key] = (now_s + self._kept_s, answer)
        self._answers.move_to_end((conversation, key))
        while len(self._answers) > self._count_max:
            self._answers.popitem(last=False)


class Fences:
    """The newest fence seen of each conversation: a lane's old owner, come back from a pause, is refused."""

    def __init__(self, *, count_max: int = CONVERSATIONS_MAX) -> None:
        self._count_max = count_max
        self._newest: OrderedDict[str, int] = OrderedDict()

    def admit(self, conversation: str, fence: int) -> bool:
        """Return whether *fence* is no older than the newest seen of *conversation*, and remember it."""
        newest = max(fence, self._newest.get(conversation, fence))
        self._newest[conversation] = newest
        self._newest.move_to_end(conversation)
        while len(self._newest) > self._count_max:
            self._newest.popitem(last=False)
        return fence == newest
