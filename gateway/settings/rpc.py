"""Settings of the RPC client: the time, size and number that each step of a call may take.

They hold per process and, unless a comment says otherwise, per endpoint (a name and a base URL).  Every
message of a refused or failed call names the field to change.
"""

from __future__ import annotations

import msgspec

from gateway.settings.quantities import Bytes, Count, Ratio, Seconds

__all__ = ["RpcSettings"]


class RpcSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[rpc]`` in the TOML file."""

    # Time.  The turn's deadline bounds all of it; these bound one step, so that a slow one leaves time for
    # an apology.

    #: Seconds for name, TCP and TLS together, over all addresses of the host.
    connect_timeout_s: Seconds = 1.0
    #: Seconds from the last byte of the request to the end of the answer's head.
    first_byte_timeout_s: Seconds = 10.0
    #: Seconds of silence inside a request or an answer's body.
    idle_timeout_s: Seconds = 5.0
    #: Seconds for the whole call, connection included: what ends a server that trickles for ever.
    total_timeout_s: Seconds = 30.0
    #: Seconds to wait for a connection when all are busy.
    pool_wait_s: Seconds = 0.5

    # The pool.

    #: Connections to one endpoint, busy and idle together.
    connections_max: Count = 64
    #: Calls that wait for a connection; one more is refused at once.
    waiters_max: Count = 256
    #: Seconds that an idle connection is kept: below the keep-alive of the servers we meet (Node.js 5 s,
    #: nginx 75 s).
    idle_max_s: Seconds = 3.0
    #: Seconds after which a connection is not used again, less up to a tenth drawn at random: addresses move.
    age_max_s: Seconds = 300.0
    #: Endpoints that are remembered in one process; the least recently used idle one is forgotten for a new
    #: one.
    endpoints_max: Count = 256

    # Sizes.

    #: Bytes of an answer's head, interim answers and the framing of its body included.
    header_bytes_max: Bytes = 32_768
    #: Bytes of an answer's body, where a call does not say otherwise.
    body_bytes_max: Bytes = 10_485_760
    #: Bytes asked of the socket at once.
    recv_bytes: Bytes = 65_536

    # The circuit breaker.

    #: Seconds over which calls are counted.
    breaker_window_s: Seconds = 10.0
    #: Calls in the window below which the failure rate says nothing.
    breaker_calls_min: Count = 20
    #: Share of failed calls in the window that opens the circuit.
    breaker_failure_ratio: Ratio = 0.5
    #: Failures to connect with no success between them that open the circuit at once.
    breaker_connect_failures_max: Count = 5
    #: Seconds that the circuit stays open the first time, half of them certain, half drawn; doubled each
    #: time.
    breaker_open_base_s: Seconds = 5.0
    #: Seconds that it stays open at most.
    breaker_open_max_s: Seconds = 300.0
    #: Probes that must pass to close it.
    breaker_probes: Count = 3
    #: Seconds that a call cut short by its own deadline must have given the endpoint to count as its failure.
    breaker_patience_s: Seconds = 1.0

    # Trust.

    #: PEM file of certificate authorities trusted beside the system's; empty for none.
    tls_ca_file: str = ""
