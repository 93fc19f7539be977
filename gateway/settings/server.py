"""The door: where the gateway listens and what it accepts from a caller."""

from __future__ import annotations

import msgspec

from gateway.settings.quantities import Bytes, Count, Port, Seconds, Share

__all__ = ["ServerSettings"]


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[server]``"""

    #: Address of this machine on which the gateway listens; ``0.0.0.0`` is all of them.
    host: str = "127.0.0.1"
    #: Port on which the gateway listens.
    port: Port = 8080
    #: Web processes.  One core each.
    workers: Count = 1

    #: Open connections of one process, streams included; one more is answered 503 and closed.
    connections_max: Count = 16_000
    #: Requests of one process that are being answered; one more is answered 503 at once.
    in_flight_max: Count = 5_000
    #: Requests that one connection may send before their answers; behind the last of them it is closed.
    pipelined_max: Count = 64
    #: Bytes of bodies that one process holds: of requests while they arrive, and of answers while their callers take
    #: them slowly.  A request above it is answered 503, a slow caller's connection closed.
    buffered_bytes_max: Bytes = 134_217_728

    #: Bytes of a request's first line; a longer one is answered 414.
    request_line_bytes_max: Bytes = 8_192
    #: Header fields of one request; more are answered 431.
    headers_max: Count = 100
    #: Bytes of all header fields of one request, trailers counted anew; more are answered 431.
    header_bytes_max: Bytes = 32_768
    #: Bytes of one request body; a larger one is answered 413 and nothing of it is kept.
    body_bytes_max: Bytes = 1_048_576

    #: Seconds from a request's first byte (or from connecting) to the end of its head; then 408.
    header_timeout_s: Seconds = 20.0
    #: Seconds from a request's head to the end of its body, and more for a large one: see
    #: ``transfer_rate_min_bytes_s``; then 408.
    body_timeout_s: Seconds = 10.0
    #: Seconds that a connection may lie idle between two requests.
    idle_timeout_s: Seconds = 75.0
    #: Seconds in which a reader must begin to take what is written to it, and more for a large answer; then its
    #: connection is closed.
    write_timeout_s: Seconds = 20.0
    #: Bytes a second that a body must arrive with, and an answer be taken with, on the average and behind the
    #: time above: whoever trickles is not waited for.
    transfer_rate_min_bytes_s: Bytes = 8_192
    #: Bytes that wait in our own memory for the reader of one stream; above it the stream is dropped.
    stream_buffer_bytes_max: Bytes = 262_144

    #: Share of answered requests that are logged, from 0 (none) to 1 (all).
    access_log_ratio: Share = 0.0

    #: Seconds that a stopping process gives the requests and turns that run; then it cuts off the ones and hands
    #: over the lanes of the others.  gunicorn ends the process two seconds later.
    drain_s: Seconds = 5.0
    #: Seconds that a probe of /readyz may take before it counts as failed.
    probe_timeout_s: Seconds = 2.0
    #: Seconds for which an answer of /readyz is given again, so that probes cannot load the ledger.
    probe_fresh_s: Seconds = 0.5
