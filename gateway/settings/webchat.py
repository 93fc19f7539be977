"""The web chat's streams.  What differs from page to page is in the account."""

from __future__ import annotations

import msgspec

from gateway.settings.quantities import Count, Seconds

__all__ = ["WebchatSettings"]


class WebchatSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[webchat]``"""

    #: Open streams of one process; above it the page is told to come back later.
    streams_max: Count = 5_000
    #: Open streams of one visitor in one process: tabs, not a way to use up the process.
    visitor_streams_max: Count = 8
    #: Events that wait for one slow stream; above it the stream is closed and the page reads on from the
    #: ledger.
    stream_events_max: Count = 256
    #: Seconds between two comments on an idle stream, which keep proxies from closing it.
    heartbeat_s: Seconds = 15.0
    #: Seconds after which a stream is closed and the page opens a new one, so that load spreads again.
    stream_age_max_s: Seconds = 900.0
    #: Messages that a page is given of the conversation's past.
    history_messages_max: Count = 100
