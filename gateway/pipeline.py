"""THE SPINE: a message in, a reply out.  Read this file first; everything it calls is a straight line.

``Door``: a platform's delivery comes in and gets its HTTP answer.

    find the account ─▶ fetch what proves it ─▶ verify ─▶ parse ─▶ accept (committed) ─▶ start the lane ─▶ answer
                        (mostly nothing)                         ├─ the surface answers in the response: wait
                                                                 └─ it is answered later: acknowledge at once

``Runner``: a lane runs one turn, in whatever process owns the lane.

    worth running? ─▶ ask the assistant ─▶ render ─▶ choose the way out ─▶ (the lane settles) ─▶ send, tell who waits

Rules:

- Nothing is acknowledged before its messages are committed, and nothing accepted is cancelled because a caller left.
- The way out is chosen just before the settle: into a response whose caller promised to take it, or into the outbox.
- Whatever goes wrong while a turn runs ends that turn as failed, with the channel's apology, its reason and its trace
  id; the lane moves on.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Literal, Protocol

import msgspec

from gateway import telemetry
from gateway.assistants.assistant import Assistant
from gateway.assistants.preview import Preview
from gateway.channels.base import Immediate, Messages, Parsed, Receipt
from gateway.channels.bots import Bot, Bots
from gateway.domain.capabilities import Capabilities
from gateway.domain.deadline import Deadline
from gateway.domain.errors import (
    AssistantFailed,
    NotFound,
    NotUnderstood,
    SwitchboardError,
    TryLater,
    Unauthentic,
)
from gateway.domain.http import Request, Response
from gateway.domain.message import Inbound
from gateway.domain.reply import Reply, Text
from gateway.domain.turn import LaneKey, Settlement, Turn
from gateway.intake.accept import Intake, refusal
from gateway.intake.proofs import ProofKeeper
from gateway.lanes.lane import Lanes
from gateway.replies.direct import DirectSends
from gateway.replies.kept import KeptAnswers, kept_s, tell_together
from gateway.replies.responses import Responses
from gateway.replies.results import Delivered, Expectation, Results
from gateway.replies.signs import SignsOfLife
from gateway.replies.way_out import no_room, way_out
from gateway.store.ledger.accept import Accepted
from gateway.store.ledger.settle import Settled

__all__ = ["Door", "Runner", "Watchers"]


class Watchers(Protocol):
    """Those who look on: live pages of this process, and the other processes."""

    def accepted(self, turn: Accepted) -> None:
        """A message is in the ledger."""
        ...

    def preview(self, turn: Turn, preview: Preview) -> None:
        """A piece of a reply that is still being made."""
        ...

    def settled(self, settlement: Settlement, settled: Settled) -> None:
        """A turn has ended, and is committed."""
        ...


class Door:
    """Takes deliveries in and answers them."""

    def __init__(
        self,
        bots: Bots,
        intake: Intake,
        lanes: Lanes,
        results: Results,
        responses: Responses,
        watchers: Watchers,
        *,
        proofs: ProofKeeper,
        signs: SignsOfLife,
        kept: KeptAnswers,
        keep_delivery: Callable[..., int],
        new_trace_id: Callable[[], str],
        wall_clock: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._bots = bots
        self._intake = intake
        self._lanes = lanes
        self._results = results
        self._responses = responses
        self._watchers = watchers
        self._proofs = proofs
        self._signs = signs
        self._kept = kept
        self._keep_delivery = keep_delivery
        self._new_trace_id = new_trace_id
        self._wall_clock = wall_clock
        self._clock = clock

    def receive(self, channel: str, account: str, request: Request) -> Response:
        """Return the HTTP answer to one delivery.

        :raises NotFound: no such account.
        :raises BadRequest: not authentic, or (web chat only) not a message; nothing is stored.
        :raises TryLater: whether it is authentic cannot be known now; nothing is stored.
        """
        arrived = self._clock()
        bot = self._bots.find(channel, account)
        try:
            self._verify(bot, request, self._wall_clock())
            parsed = self._parse(bot, request)
        except NotUnderstood as error:
            return self._keep(bot, request, error)
        except SwitchboardError as error:
            telemetry.event("delivery.refused", channel=channel, account=account, reason=error.reason)
            raise
        if isinstance(parsed, Immediate):
            if parsed.refused:
                telemetry.event("delivery.refused", channel=channel, account=account, reason=parsed.refused)
            return parsed.response
        if not parsed.inbound:
            return parsed.acknowledgement or bot.channel.accepted(())
        if parsed.account:
            bot = self._bots.find(channel, parsed.account)
        return self._traced(bot, request, parsed, arrived)

    def _verify(self, bot: Bot, request: Request, now_s: float) -> None:
        """Return if the delivery is authentic.  Raises as ``receive`` does."""
        proofs = self._proofs.proofs(bot, request, now_s)
        try:
            bot.channel.verify(request, bot.account, now_s, proofs)
        except Unauthentic:
            # What proves it may have been replaced since it was fetched.
            present = self._proofs.proofs(bot, request, now_s, doubted=True)
            if present == proofs:
                raise
            bot.channel.verify(request, bot.account, now_s, present)

    def _traced(self, bot: Bot, request: Request, parsed: Messages, arrived: float) -> Response:
        """Begin the trace that the delivery's turns carry; only what is authentic and brings messages begins one."""
        trace_id, outcome = self._new_trace_id(), 500
        try:
            response = self._accept(bot, request, parsed, arrived, trace_id)
            outcome = response.status
            return response
        finally:
            telemetry.event(
                "delivery.taken",
                channel=bot.account.channel,
                account=bot.account.name,
                duration_s=self._clock() - arrived,
                outcome=outcome,
                trace_id=trace_id,
            )

    def _parse(self, bot: Bot, request: Request) -> Parsed:
        try:
            return bot.channel.parse(request, bot.account, self._wall_clock())
        except SwitchboardError:
            raise
        except Exception as error:
            # Our own mistake with an authentic delivery: it must not be lost for that.
            telemetry.event(
                "delivery.crashed",
                channel=bot.account.channel,
                account=bot.account.name,
                reason=type(error).__name__,
                detail=telemetry.trace(error),
            )
            raise NotUnderstood(f"{type(error).__name__} in our own code", reason="crashed") from error

    def _accept(
        self, bot: Bot, request: Request, parsed: Messages, arrived: float, trace_id: str
    ) -> Response:
        account, inbound, last = bot.account, parsed.inbound, parsed.inbound[-1]
        left_s = bot.channel.surfaces[last.surface].answer_by_s - (self._clock() - arrived)
        try:
            taken = self._intake.accept(account.channel, account.name, inbound, trace_id, left_s)
        except TryLater as error:
            return bot.channel.refuse(last.surface, account, error)
        accepted = [each for each in taken if isinstance(each, Accepted)]
        refusals = [reason for each in taken if (reason := refusal(each)) is not None]
        # Whoever waits is known before the turn can end.
        expectation = None if refusals else self._expect(bot, last, accepted[-1], arrived)
        for each in accepted:
            if each.outcome != "refused":
                self._watchers.accepted(each)
            if each.lane is not None:
                self._lanes.grant(each.lane, (account.channel, account.name), each.head)
        if refusals:
            return self._turn_away(bot, request, last, refusals)
        if expectation is None:
            receipts = [Receipt(a.turn_id, a.seq, a.outcome == "duplicate") for a in accepted]
            return parsed.acknowledgement or bot.channel.accepted(receipts)
        try:
            result = self._wait(bot, last, accepted[-1], expectation, arrived)
            if result is not None and self._leaves_elsewhere(bot, last, accepted[-1], result):
                result = None
            return self._answer(bot, last, accepted[-1].turn_id, result)
        finally:
            self._results.forget(expectation)

    def _turn_away(
        self, bot: Bot, request: Request, inbound: Inbound, refusals: Sequence[SwitchboardError]
    ) -> Response:
        """Answer a delivery of which not every message is in the ledger; the others will be duplicates next time."""
        for error in refusals:
            # First of all: a delivery that comes again loses nothing.
            if isinstance(error, TryLater):
                return bot.channel.refuse(inbound.surface, bot.account, error)
        return self._keep(bot, request, refusals[0])

    def _expect(self, bot: Bot, inbound: Inbound, accepted: Accepted, arrived: float) -> Expectation | None:
        capabilities = bot.channel.surfaces[inbound.surface]
        if not capabilities.answers_in_response:
            return None
        patience_s = capabilities.answer_by_s
        if inbound.answer_by_s is not None:
            patience_s = min(patience_s, inbound.answer_by_s)
        return self._results.expect(accepted.turn_id, arrived + patience_s)

    def _wait(
        self, bot: Bot, inbound: Inbound, accepted: Accepted, expectation: Expectation, arrived: float
    ) -> Delivered | None:
        if accepted.outcome != "new":
            return expectation.wait()
        stop_sign = self._signs.begin(bot, inbound, arrived)
        try:
            return expectation.wait()
        finally:
            # Also of one whose waiting was cut short: a sign behind the answer would promise another one.
            stop_sign()

    def _leaves_elsewhere(self, bot: Bot, inbound: Inbound, accepted: Accepted, result: Delivered) -> bool:
        """Whether the reply reaches the user by the outbox, or is kept: this response would say it a second time.

        A repeat is told again all the same: its platform asks because it lost the first answer.
        """
        late = bot.channel.surfaces[inbound.surface].late
        return accepted.outcome == "new" and late in {"push", "deferred", "next_turn"} and not result.outbox_ids

    def _answer(self, bot: Bot, inbound: Inbound, turn_id: int, result: Delivered | None) -> Response:
        kept = self._kept.take(bot, inbound.surface, turn_id)
        if result is None and not kept:
            return bot.channel.late(inbound.surface, bot.account)
        mine, taken = result.outbox_ids if result else (), [each.outbox_id for each in kept if each.taken]
        try:
            own = result.reply if result else None
            rendered, telling = tell_together(bot, inbound, kept, own, waits=bool(mine))
        except Exception:
            # Nothing was written: what is in our hands goes the other way, or is kept on.
            self._responses.note((*mine, *taken), "push", "crashed")
            raise
        told = {each.outbox_id for each in kept[: telling.kept]}.union(mine if telling.own else ())
        rows = tuple(row for row in (*mine, *taken) if row in told)
        self._responses.note([row for row in (*mine, *taken) if row not in told], "wait", "no_room")
        if not rendered.payloads:
            self._responses.note(rows, "sent")
            return bot.channel.late(inbound.surface, bot.account)
        response = bot.channel.respond(rendered.payloads[0])
        if not rows:
            return response

        def written(whole: bool) -> None:
            self._responses.note(rows, "sent" if whole else "unknown", "" if whole else "caller_left")

        return Response(response.status, response.body, response.content_type, response.headers, written)

    def _keep(self, bot: Bot, request: Request, error: SwitchboardError) -> Response:
        """Keep an authentic delivery that cannot be read, and accept it: a 4xx would make platforms block us."""
        account = bot.account
        try:
            letter = self._keep_delivery(
                channel=account.channel,
                account=account.name,
                reason=error.reason,
                detail=str(error),
                body=request.body,
                content_type=request.header("content-type"),
            )
        except TryLater as later:
            return bot.channel.refuse(None, account, later)
        telemetry.event(
            "delivery.dead_lettered",
            channel=account.channel,
            account=account.name,
            reason=error.reason,
            delivery_id=letter,
        )
        return bot.channel.accepted(())


class Runner:
    """Runs turns: what a lane does with each of its messages."""

    def __init__(
        self,
        bots: Bots,
        assistant: Callable[[str], Assistant],
        results: Results,
        responses: Responses,
        watchers: Watchers,
        *,
        signs: SignsOfLife,
        deaths_max: int,
        process_id: Callable[[], int],
        direct: DirectSends | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """*direct*: sends what needs no response, as far as it has room; None: workers send all of it."""
        self._bots = bots
        self._assistant = assistant
        self._results = results
        self._responses = responses
        self._watchers = watchers
        self._signs = signs
        self._deaths_max = deaths_max
        self._process_id = process_id
        self._direct = direct
        self._clock = clock

    def run(self, lane: LaneKey, turn: Turn) -> Settlement:
        """Return what became of the turn.  Never raises for the turn's sake."""
        started = self._clock()
        try:
            bot = self._bots.find(turn.channel, turn.account)
        except NotFound as error:
            # The account was taken out of the settings while its turn waited: there is nobody to tell.
            return Settlement(
                turn=turn, state="failed", reply=Reply(), reason=error.reason, detail=str(error)
            )
        capabilities = bot.channel.surfaces[turn.surface]

        def room(rows_n: int) -> bool:
            return self._direct is not None and self._direct.reserve(lane, turn, rows_n)

        try:
            reply = self._ask(bot, lane, turn, capabilities, started)
            settlement = self._settlement(bot, turn, capabilities, "answered", reply, room=room)
        except AssistantFailed as error:
            settlement = self._failed(bot, turn, capabilities, error.reason, str(error), room=room)
        except Exception as error:
            # Ours: the trace id leads from the user's report to this line of the log.
            telemetry.event(
                "turn.crashed",
                channel=turn.channel,
                account=turn.account,
                reason=type(error).__name__,
                trace_id=turn.trace_id,
                turn_id=turn.turn_id,
                detail=telemetry.trace(error),
            )
            detail = f"{type(error).__name__}; trace {turn.trace_id}"
            settlement = self._failed(bot, turn, capabilities, "crashed", detail, room=room)
        return msgspec.structs.replace(settlement, took_s=turn.age_s + self._clock() - started)

    def unstorable(self, turn: Turn, error: SwitchboardError) -> Settlement:
        """Return the settlement of a turn whose answer PostgreSQL refused."""
        bot = self._bots.find(turn.channel, turn.account)
        return self._failed(bot, turn, bot.channel.surfaces[turn.surface], error.reason, str(error))

    def settled(self, settlement: Settlement, settled: Settled) -> None:
        """Send what is ours to send, and tell whoever waits; called by the lane after the commit."""
        turn = settlement.turn
        if self._direct is not None:
            self._direct.settled(settlement, settled)
        if settled.lost:
            # The answer was dropped: the lane's present owner runs the turn, and our callers find its result.
            self._results.release(turn.turn_id)
            return
        telemetry.event(
            "turn.settled",
            channel=turn.channel,
            account=turn.account,
            state=settlement.state,
            reason=settlement.reason,
            duration_s=settlement.took_s,
            turn_id=turn.turn_id,
            trace_id=turn.trace_id,
        )
        if settlement.state == "failed":
            telemetry.event(
                "turn.failed",
                channel=turn.channel,
                account=turn.account,
                reason=settlement.reason,
                turn_id=turn.turn_id,
                trace_id=turn.trace_id,
                detail=settlement.detail,
            )
        claimed = tuple(
            outbox_id
            for outbox_id, draft in zip(settled.outbox_ids, settlement.outbox, strict=False)
            if draft.claimed and draft.kind == "response"
        )
        self._responses.hold(claimed)
        sender = self._results.deliver(
            Delivered(turn.turn_id, settlement.state, settlement.reply, settlement.reason, claimed)
        )
        if claimed and not sender:
            self._responses.note(claimed, "push", "caller_left")
        self._watchers.settled(settlement, settled)

    def _ask(self, bot: Bot, lane: LaneKey, turn: Turn, capabilities: Capabilities, started: float) -> Reply:
        if turn.deaths >= self._deaths_max:
            raise AssistantFailed(
                f"{turn.deaths} processes died while they ran this turn (lanes.deaths_max)", reason="poison"
            )
        if not turn.readable:
            raise AssistantFailed("this version of Switchboard cannot read the stored turn", reason="unreadable")
        left_s = capabilities.turn_deadline_s - turn.age_s
        if left_s <= 0:
            raise AssistantFailed(
                f"the turn waited {turn.age_s:.1f} s; nobody wants the answer after {capabilities.turn_deadline_s} s",
                reason="turn_expired",
            )

        def show(preview: Preview) -> None:
            if capabilities.streams:
                self._watchers.preview(turn, preview)

        assistant = self._assistant(bot.account.assistant)
        answered = self._signs.keep_up(bot, turn)
        try:
            return assistant.ask(turn, lane, capabilities, Deadline.after(left_s, now=started), show)
        finally:
            # Before the answer can leave: a sign behind it would promise another one.
            answered()

    def _failed(
        self,
        bot: Bot,
        turn: Turn,
        capabilities: Capabilities,
        reason: str,
        detail: str,
        *,
        room: Callable[[int], bool] = no_room,
    ) -> Settlement:
        apology = Reply(parts=(Text(bot.account.apology),))
        try:
            return self._settlement(bot, turn, capabilities, "failed", apology, reason, detail, room=room)
        except Exception as error:
            # Rendering itself is broken.  The turn must end all the same, or its lane would run it for ever.
            unsaid = f"{detail}; the apology could not be rendered: {type(error).__name__}"
            return Settlement(turn=turn, state="failed", reply=apology, reason=reason, detail=unsaid)

    def _settlement(
        self,
        bot: Bot,
        turn: Turn,
        capabilities: Capabilities,
        state: Literal["answered", "failed"],
        reply: Reply,
        reason: str = "",
        detail: str = "",
        *,
        room: Callable[[int], bool],
    ) -> Settlement:
        rendered = bot.channel.render(reply, turn.surface, turn.address, bot.account)
        return Settlement(
            turn=turn,
            state=state,
            reply=reply,
            reason=reason,
            detail=detail,
            degraded=rendered.degraded,
            outbox=way_out(
                turn,
                capabilities,
                rendered.payloads,
                promised=lambda: self._results.promise(turn.turn_id),
                here=self._process_id(),
                room=room,
                kept_s=kept_s(bot.account),
                is_empty=not reply.parts,
            ),
        )
