"""Settings of the RPC client: the time, size and number that each step of a call may take.

They hold per process and, unless a comment says otherwise, per endpoint (a name and a base URL).  Every
message of a refused or failed call names the field to change.
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from gateway.settings.quantities import Bytes, Count, Ratio, Seconds, Share

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

    # How many at once.

    #: Calls of one service under way in this process, those that wait or pause before a retry included: its
    #: bulkhead.
    calls_max: Count = 4_096
    #: Connections to one endpoint, busy and idle together: the ceiling of its adaptive limit.
    connections_max: Count = 1_024
    #: Calls below which the adaptive limit of one endpoint never falls.
    limit_floor: Count = 4
    #: How many times the unloaded time to first byte may be reached before the limit falls.
    limit_tolerance_ratio: Annotated[float, Meta(ge=1.1, le=100)] = 2.0
    #: Calls that wait for the limit; one more is refused at once, or takes the place of a less important one.
    waiters_max: Count = 1_024

    # The pool.

    #: Seconds that an idle connection is kept: below the keep-alive of the servers we meet (Node.js 5 s,
    #: nginx 75 s).
    idle_max_s: Seconds = 3.0
    #: Seconds after which a connection is not used again, less up to a tenth drawn at random: addresses move.
    age_max_s: Seconds = 300.0
    #: Services that are remembered in one process; the least recently used idle one is forgotten for a new
    #: one.
    services_max: Count = 256
    #: Seconds after which a host's addresses are looked up again, beside the calls.
    dns_refresh_s: Seconds = 5.0
    #: Seconds that addresses are used while looking them up again fails.
    dns_keep_s: Seconds = 300.0

    # Sizes.

    #: Bytes of an answer's head, interim answers and the framing of its body included.
    header_bytes_max: Bytes = 32_768
    #: Bytes of an answer's body, decompressed, where a call does not say otherwise.
    body_bytes_max: Bytes = 10_485_760
    #: Bytes asked of the socket at once.
    recv_bytes: Bytes = 65_536

    # Retries and hedges: one budget for both, per service.

    #: Further attempts of one call.
    retries_max: Annotated[int, Meta(ge=0, le=10)] = 2
    #: Seconds of the first pause at most; drawn from none to this, and doubled each time.
    retry_base_s: Seconds = 0.025
    #: Seconds of any pause at most, a Retry-After apart.
    retry_max_s: Seconds = 0.25
    #: Seconds of Retry-After that are waited for; for a longer one the answer is given to the caller.
    retry_after_max_s: Seconds = 5.0
    #: Share of calls that may be retried or hedged, beside ``retry_per_s``.
    retry_ratio: Share = 0.2
    #: Retries and hedges a second that are always allowed, so that a quiet service has some at all.
    retry_per_s: Annotated[float, Meta(ge=0, le=10_000)] = 10.0
    #: Share of calls that may be hedged: an idempotent call of a service that allows it is made a second time
    #: when it takes longer than 95 of 100.  0: none.
    hedge_ratio: Share = 0.05

    # Health: the circuit breaker of each endpoint.

    #: Seconds over which calls are counted.
    breaker_window_s: Seconds = 10.0
    #: Calls in the window below which the failure rate says nothing; as many failures in a row open the circuit
    #: whatever the window holds.
    breaker_calls_min: Count = 20
    #: Share of failed calls in the window that opens the circuit.
    breaker_failure_ratio: Ratio = 0.5
    #: Seconds to the answer's head above which a call is slow, less than ``first_byte_timeout_s``; counted while it is
    #: still under way.
    breaker_slow_s: Seconds = 5.0
    #: Share of slow or failed calls in the window that opens the circuit.
    breaker_slow_ratio: Ratio = 0.8
    #: Failures to connect with no success between them that open the circuit at once.
    breaker_connect_failures_max: Count = 5
    #: Seconds that the circuit stays open the first time, half of them certain, half drawn; doubled each
    #: time.
    breaker_open_base_s: Seconds = 5.0
    #: Seconds that it stays open at most.
    breaker_open_max_s: Seconds = 300.0
    #: Calls that must pass to close it.
    breaker_probes: Count = 3
    #: Seconds that a call cut short by its own deadline must have given the endpoint to count as its failure.
    breaker_patience_s: Seconds = 1.0
    #: Seconds between two active probes of an endpoint, where its service names a path for them.
    probe_period_s: Seconds = 0.5
    #: Seconds that an active probe may take.
    probe_timeout_s: Seconds = 1.0
    #: Seconds in which an endpoint that came back gets its full share again.
    slow_start_s: Seconds = 10.0
    #: Seconds between two looks at what operators ordered.
    orders_poll_s: Seconds = 2.0

    # Trust.

    #: PEM file of certificate authorities trusted beside the system's; empty for none.
    tls_ca_file: str = ""
    #: Whether addresses out of a payload may lead into a private network: for trials on one machine.
    private_addresses_allowed: bool = False
