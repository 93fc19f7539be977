"""An assistant that is a service: one POST over the RPC client, answered in one piece or as a stream.

The path of a call: time, body, headers, signature; then the head of the answer, which says what the body
is; then the body, never more of it than its bound.  Whatever goes wrong ends as :exc:`AssistantFailed` with
a reason of the README's table.

Deliberately absent: retries (the RPC client's business), redirects (a signed turn goes where it was
addressed), and any trust in what comes back.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable

from gateway import telemetry
from gateway.assistants.decode import decode_reply
from gateway.assistants.preview import OnPreview
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
from gateway.assistants.stream import StreamDecoder
from gateway.assistants.wire import DEADLINE_HEADER, call_headers, encode, message_id
from gateway.domain.capabilities import Capabilities
from gateway.domain.deadline import Deadline
from gateway.domain.errors import AssistantFailed, CallFailed, TryLater
from gateway.domain.reply import Reply
from gateway.domain.signing import signature_headers, signing_key
from gateway.domain.turn import LaneKey, Turn
from gateway.rpc import Call, RpcClient, StreamedResponse
from gateway.settings.assistants import AssistantSettings

__all__ = ["HttpAssistant"]


class HttpAssistant:
    """One service.

    :raises ValueError: a signing secret or the address is none; the message never shows a secret.
    """

    def __init__(
        self,
        name: str,
        settings: AssistantSettings,
        rpc: RpcClient,
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
        self._monotonic = monotonic
        self._unix_time = unix_time
        self._random_bits = random_bits
        self._keys = _signing_keys(name, settings)
        self._service, self._path = service_and_path(name, settings)
        self._timeouts = call_timeouts(rpc, settings)

    def ask(
        self,
        turn: Turn,
        lane_key: LaneKey,
        capabilities: Capabilities,
        deadline: Deadline,
        on_preview: OnPreview,
    ) -> Reply:
        """Call the service; see :class:`gateway.assistants.assistant.Assistant`."""
        span_id = new_span_id(self._random_bits)
        with telemetry.span(
            "assistant.call", assistant=self.name, turn_id=turn.turn_id, trace_id=turn.trace_id, span_id=span_id
        ):
            call = self._call(turn, lane_key, capabilities, deadline, span_id)
            try:
                with self._rpc.stream(call) as response:
                    return self._read(response, on_preview)
            except (CallFailed, TryLater) as error:
                raise call_failure(self.name, error) from error

    def _call(
        self, turn: Turn, lane_key: LaneKey, capabilities: Capabilities, deadline: Deadline, span_id: str
    ) -> Call:
        settings, now = self._settings, self._monotonic()
        whole_call = Deadline.after(settings.total_timeout_s, now=now)
        told = deadline.or_sooner(whole_call).less(settings.deadline_margin_s)
        deadline_ms = int(1000 * told.left_s(now))
        if deadline_ms <= 0:
            message = f"no time was left to ask {self.name} (assistants.{self.name}.deadline_margin_s)"
            raise AssistantFailed(message, reason="timeout")
        body = encode(turn, lane_key, capabilities, deadline_ms=deadline_ms)
        headers = call_headers(turn, lane_key, span_id=span_id)
        signature = signature_headers(
            self._keys, message_id=message_id(turn), unix_s=int(self._unix_time()), body=body
        )
        return Call(
            service=self._service,
            method="POST",
            path=self._path,
            headers=dict(headers + signature),
            body=body,
            deadline=deadline,
            deadline_header=DEADLINE_HEADER,
            deadline_margin_s=settings.deadline_margin_s,
            tenant=sharer(self._sharers, turn),
            gzip=settings.gzip,
            idempotent=settings.honours_idempotency_key,
            # A backstop: which bound holds is known only from the head, and _read keeps to it.  An answer
            # that announces more than this is not read at all.
            body_bytes_max=max(settings.reply_bytes_max, settings.stream_bytes_max) + BACKSTOP_BYTES,
            timeouts=self._timeouts,
        )

    def _read(self, response: StreamedResponse, on_preview: OnPreview) -> Reply:
        if response.status != 200:
            message = f"{self.name} answered with status {response.status}"
            raise AssistantFailed(message, reason=f"http_{response.status}")
        media_type = (response.header("content-type") or "").partition(";")[0].strip().lower()
        if media_type == "text/event-stream":
            return self._read_stream(response, on_preview)
        if media_type == "application/json":
            return self._read_whole(response)
        message = f"{self.name} answered with neither application/json nor text/event-stream"
        raise AssistantFailed(message, reason="wrong_content_type")

    def _read_stream(self, response: StreamedResponse, on_preview: OnPreview) -> Reply:
        decoder = StreamDecoder(self._settings)
        for chunk in response:
            for preview in decoder.feed(chunk):
                on_preview(preview)
            if decoder.reply is not None:
                break
        return decoder.close()

    def _read_whole(self, response: StreamedResponse) -> Reply:
        body = bytearray()
        for chunk in response:
            body += chunk
            if len(body) > self._settings.reply_bytes_max:
                break  # the decoder refuses it; no more of it is read
        return decode_reply(bytes(body), self._settings)


def _signing_keys(name: str, settings: AssistantSettings) -> tuple[bytes, ...]:
    keys = []
    for index, secret in enumerate(settings.signing_secrets):
        try:
            keys.append(signing_key(secret.reveal()))
        except ValueError as error:
            raise ValueError(f"assistants.{name}.signing_secrets[{index}]: {error}") from None
    return tuple(keys)
