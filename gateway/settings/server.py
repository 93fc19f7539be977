"""The door: where the gateway listens and what it accepts from a caller."""

from __future__ import annotations

import msgspec

from gateway.settings.quantities import Bytes, Count, Port, Seconds

__all__ = ["ServerSettings"]


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[server]``"""

    #: Address of this machine on which the gateway listens; ``0.0.0.0`` is all of them.
    host: str = "127.0.0.1"
    #: Port on which the gateway listens.
    port: Port = 8080
    #: Web processes.  One core each.
    workers: Count = 1
    #: Bytes of one request body; a larger one is answered 413 and nothing of it is kept.
    body_bytes_max: Bytes = 1_048_576
    #: Seconds from a request's head to the end of its body; what takes longer is answered 408.
    body_timeout_s: Seconds = 10.0
    #: Seconds that a stopping process gives its running turns before it hands their lanes over.  gunicorn,
    #: which ends the process a second later, sees the variable only, and not the TOML file.
    drain_s: Seconds = 5.0
    #: Seconds that a probe of /readyz may take before it counts as failed.
    probe_timeout_s: Seconds = 2.0
    #: Seconds for which an answer of /readyz is given again, so that probes cannot load the ledger.
    probe_fresh_s: Seconds = 0.5
