"""Finding lanes that nobody runs.

Three kinds, looked for every ``lanes.poll_s``, or at once after a hint:

- lanes of a process that died: it is declared dead, which makes its lanes orphans under a higher fence;
- orphans: of the dead, or left with work by a process that drained; any process adopts them, up to its room;
- lanes that the ledger holds to be this process's although it does not run them: the answer to a grant was lost, or
  another process handed them over.  Seen twice under the same fence before they are started, because a grant may
  still be on its way here.
"""

from __future__ import annotations

from collections.abc import Callable

from gevent.event import Event

from gateway import telemetry
from gateway.domain.errors import StoreUnavailable
from gateway.domain.turn import LaneKey, Turn
from gateway.lanes.lane import Lanes
from gateway.lanes.owner import Owner
from gateway.settings.lanes import LaneSettings
from gateway.store.ledger import heads, process
from gateway.store.postgres import Database

__all__ = ["Takeover"]

#: Lanes adopted at one time: enough to recover fast, few enough for others to get their share.
_ADOPT_MAX = 200
#: Polls between two comparisons of the ledger's lanes with those that are run.
_COMPARE_EVERY = 4


class Takeover:
    """Looks for lanes that nobody runs, and runs them."""

    def __init__(
        self,
        database: Database,
        owner: Owner,
        lanes: Lanes,
        settings: LaneSettings,
        *,
        orphaned: Callable[[], None],
    ) -> None:
        self._database = database
        self._owner = owner
        self._lanes = lanes
        self._settings = settings
        #: Tells the other gateways that there are more orphans than this one has room for.
        self._orphaned = orphaned
        self._hinted = Event()
        self._handed: set[int] = set()
        self._suspects: dict[int, int] = {}

    def hint(self, handed: int | None = None) -> None:
        """Look now: there are orphans, or the conversation *handed* was handed over to this process."""
        if handed is not None:
            self._handed.add(handed)
        self._hinted.set()

    def watch_forever(self) -> None:
        """Look for lanes until killed.  To be supervised."""
        polls = 0
        while True:
            self._hinted.wait(self._settings.poll_s)
            self._hinted.clear()
            polls += 1
            try:
                self._look(compare=polls % _COMPARE_EVERY == 0)
            except StoreUnavailable:
                continue

    def _look(self, *, compare: bool) -> None:
        self._owner.bury()
        if not self._owner.holds():
            return
        me = self._owner.process
        handed, self._handed = self._handed, set()
        self._start(list(handed), "handed_over")
        if self._lanes.draining:
            # It would take back the very lanes that it frees.
            return
        room = min(_ADOPT_MAX, self._settings.turns_in_flight_max - len(self._lanes))
        if room > 0:
            adopted = self._database.run(lambda cursor: process.adopt(cursor, me, room))
            self._start(adopted, "adopted")
            if len(adopted) == room:
                self._hinted.set()
                self._orphaned()
        if compare:
            self._compare()

    def _compare(self) -> None:
        me = self._owner.process
        owned = self._database.run(lambda cursor: process.owned(cursor, me))
        idle = {
            lane: fence
            for lane, fence in owned.items()
            if not self._lanes.runs(LaneKey(lane, fence, me.epoch))
        }
        self._start([lane for lane, fence in idle.items() if self._suspects.get(lane) == fence], "found")
        self._suspects = idle

    def _start(self, conversations: list[int], reason: str) -> None:
        if not conversations:
            return
        me = self._owner.process
        for found in self._database.run(lambda cursor: heads.heads(cursor, me, conversations)):
            if found is not None:
                self._grant(*found, reason)

    def _grant(self, lane: LaneKey, turn: Turn, reason: str) -> None:
        if self._lanes.runs(lane):
            return
        telemetry.event(
            "lane.taken_over",
            channel=turn.channel,
            account=turn.account,
            reason=reason,
            conversation_id=lane.conversation_id,
        )
        self._lanes.grant(lane, (turn.channel, turn.account), turn)
