"""An assistant that is a model: what was said is sent as a chat, and what the model says is the reply.

    held back? ─▶ what was said before ─▶ window ─▶ call ─▶ read ─▶ reply
                                             ▲        │
                                             └────────┘ the chat was too long: a smaller window, twice at most

Rules:

- A model remembers nothing: each call carries the conversation, as the ledger has it.
- A call changes nothing at the server, so one that failed may be made again (the RPC client decides when), but never
  once the head of an answer has come.
- Whoever does not want the answer any more closes the connection, and the server stops computing: the deadline, and a
  lane that was lost, by the greenlet's kill.
- A 429 is about our key and not about the server's health.

Deliberately absent: tools, pictures, several answers, and any trust in what comes back.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime

from gateway import telemetry
from gateway.assistants.openai import request
from gateway.assistants.openai.answer import Answer, read_whole
from gateway.assistants.openai.prompt import fill
from gateway.assistants.openai.pushback import PushedBack, wanted_s
from gateway.assistants.openai.refusal import BODY_BYTES_MAX, TOO_LONG, refusal
from gateway.assistants.openai.stream import ChatStream
from gateway.assistants.openai.window import Window, messages, past_turns
from gateway.assistants.preview import OnPreview, Typing, ignore_preview
from gateway.assistants.service import (
    BACKSTOP_BYTES,
    NO_SHARERS,
    Sharers,
    call_failure,
    call_timeouts,
    new_span_id,
    service_and_path,
    sharer,
)
from gateway.assistants.transcript import Transcript
from gateway.domain.capabilities import Capabilities
from gateway.domain.deadline import Deadline
from gateway.domain.errors import AssistantFailed, CallFailed, TryLater
from gateway.domain.reply import Reply
from gateway.domain.turn import LaneKey, Turn
from gateway.rpc import Call, RpcClient, StreamedResponse
from gateway.settings.assistants import AssistantSettings
from gateway.store.ledger.transcripts import Exchange, Past

__all__ = ["OpenaiAssistant"]


class OpenaiAssistant:
    """One model of one server.

    :raises ValueError: the address is none, or the key cannot be sent; the message never shows it.
    """

    def __init__(
        self,
        name: str,
        settings: AssistantSettings,
        rpc: RpcClient,
        transcript: Transcript,
        *,
        sharers: Sharers = NO_SHARERS,
        monotonic: Callable[[], float] = time.monotonic,
        unix_time: Callable[[], float] = time.time,
        random_bits: Callable[[int], int] = random.getrandbits,
    ) -> None:
        self.name = name
        self._settings = settings
        self._rpc = rpc
        self._sharers = sharers
        self._transcript = transcript
        self._monotonic = monotonic
        self._unix_time = unix_time
        self._random_bits = random_bits
        self._service, path = service_and_path(name, settings, quotas=True)
        self._path = request.below(path, "chat/completions")
        if not request.is_sendable(settings.openai.api_key):
            raise ValueError(f"assistants.{name}.openai.api_key: expected visible ASCII (not shown)")
        self._timeouts = call_timeouts(rpc, settings)
        self._pushed_back = PushedBack()

    def ask(
        self,
        turn: Turn,
        lane_key: LaneKey,
        capabilities: Capabilities,
        deadline: Deadline,
        on_preview: OnPreview,
    ) -> Reply:
        """Call the server; see :class:`gateway.assistants.assistant.Assistant`."""
        span_id = new_span_id(self._random_bits)
        with telemetry.span(
            "assistant.call", assistant=self.name, turn_id=turn.turn_id, trace_id=turn.trace_id, span_id=span_id
        ):
            self._check_hold()
            if not capabilities.streams:
                on_preview = ignore_preview
            window = self._window(turn)
            smaller = window.smaller()
            while True:
                try:
                    answer = self._call(turn, window, deadline, on_preview, span_id)
                    break
                except AssistantFailed as error:
                    less = next(smaller, None) if error.reason == TOO_LONG else None
                    if less is None:
                        raise
                    telemetry.event("assistant.shortened", assistant=self.name, before=len(window), turns=len(less))
                    window = less
            self._tell_usage(answer)
            return answer.reply()

    def _check_hold(self) -> None:
        left_s = self._pushed_back.left_s(self._monotonic())
        if left_s:
            message = f"{self.name} refused for now (429), and is not asked for another {left_s:.1f} s"
            raise AssistantFailed(message, reason="rate_limited")

    def _window(self, turn: Turn) -> Window:
        settings = self._settings.openai
        past: list[Exchange] = []
        if settings.history_turns_max and turn.seq > 1:
            try:
                past = self._transcript.before(
                    Past(turn.conversation_id, turn.seq, settings.history_turns_max, settings.history_bytes_max)
                )
            except TryLater as error:
                # Closed: a model that has forgotten everything would answer something else, and nobody would know.
                message = f"what was said before could not be read: {error}"
                raise AssistantFailed(message, reason="history_unavailable") from error
        return Window(past_turns(past, settings.bytes_per_token), settings.history_tokens_max)

    def _call(
        self, turn: Turn, window: Window, deadline: Deadline, on_preview: OnPreview, span_id: str
    ) -> Answer:
        try:
            with self._rpc.stream(self._request(turn, window, deadline, span_id)) as response:
                return self._read(response, on_preview)
        except (CallFailed, TryLater) as error:
            raise call_failure(self.name, error) from error

    def _request(self, turn: Turn, window: Window, deadline: Deadline, span_id: str) -> Call:
        settings, openai = self._settings, self._settings.openai
        date = datetime.fromtimestamp(self._unix_time(), UTC).date().isoformat()
        system = fill(openai.system_prompt, turn, date=date)
        return Call(
            service=self._service,
            method="POST",
            path=self._path,
            headers=request.headers(openai, turn, span_id=span_id),
            body=request.encode(openai, messages(system, window, turn.message)),
            # What comes later could not be settled in time.
            deadline=deadline.less(settings.deadline_margin_s),
            tenant=sharer(self._sharers, turn),
            gzip=settings.gzip,
            # A chat that is answered twice has changed nothing, and nobody sees the first answer.
            idempotent=True,
            body_bytes_max=max(settings.reply_bytes_max, settings.stream_bytes_max) + BACKSTOP_BYTES,
            timeouts=self._timeouts,
        )

    def _read(self, response: StreamedResponse, on_preview: OnPreview) -> Answer:
        if response.status != 200:
            raise self._refused(response)
        media_type = (response.header("content-type") or "").partition(";")[0].strip().lower()
        # What was asked for does not count: some servers stream always, others never.
        if media_type == "text/event-stream":
            return self._read_stream(response, on_preview)
        if media_type == "application/json":
            bytes_max = self._settings.reply_bytes_max
            # The words are what is bounded; the rest of the envelope is small beside them.
            body = _body(response, bytes_max=bytes_max + BODY_BYTES_MAX)
            return read_whole(self.name, body, bytes_max=bytes_max)
        message = f"{self.name} answered with neither application/json nor text/event-stream"
        raise AssistantFailed(message, reason="wrong_content_type")

    def _read_stream(self, response: StreamedResponse, on_preview: OnPreview) -> Answer:
        stream = ChatStream(self.name, self._settings)
        on_preview(Typing())
        try:
            for chunk in response:
                for piece in stream.feed(chunk):
                    on_preview(piece)
                if stream.over:
                    break
        except CallFailed:
            # Behind the last word there is only a count.
            if not stream.whole:
                raise
        return stream.close()

    def _refused(self, response: StreamedResponse) -> AssistantFailed:
        try:
            body = _body(response, bytes_max=BODY_BYTES_MAX)
        except CallFailed:
            body = b""  # the status says enough
        settings, now = self._settings.openai, self._monotonic()
        failure = refusal(self.name, settings.model, response.status, body, response.header("x-request-id"))
        if failure.reason == "quota_exhausted":
            self._pushed_back.hold(now, settings.hold_back_max_s)
        elif response.status == 429:
            wanted = wanted_s(response.header, unix_now=self._unix_time())
            self._pushed_back.hold(now, min(wanted, settings.hold_back_max_s))
        return failure

    def _tell_usage(self, answer: Answer) -> None:
        usage = answer.usage
        if usage is not None:
            telemetry.event(
                "assistant.counted",
                assistant=self.name,
                prompt_tokens=usage.prompt_tokens,
                completion_tokens=usage.completion_tokens,
            )


def _body(response: StreamedResponse, *, bytes_max: int) -> bytes:
    """Return the answer's body, or as much of it as says that it is too large."""
    body = bytearray()
    for chunk in response:
        body += chunk
        if len(body) > bytes_max:
            break
    return bytes(body)
