"""The routes under ``/bench``: what the platform evaluation of 2018 measured, and streams."""

from __future__ import annotations

import msgspec

from gateway.settings.quantities import Bytes, Seconds

__all__ = ["BenchSettings"]


class BenchSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[bench]``"""

    #: Serve /bench/echo, /bench/rpc, /bench/kvs/KEY and /bench/stream.  They ask nobody who they are: never in
    #: production.
    enabled: bool = False
    #: Seconds that /bench/rpc waits inside the process, as for a service that takes that long.
    rpc_wait_s: Seconds = 0.05
    #: Bytes of a value of /bench/kvs.
    kvs_value_bytes_max: Bytes = 65_536
    #: Seconds between two signs of life on a /bench/stream on which nothing happens.
    stream_beat_s: Seconds = 15.0
