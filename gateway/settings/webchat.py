"""The web chat's streams.  What differs from page to page is in the account."""

from __future__ import annotations

import msgspec

from gateway.settings.quantities import Bytes, Count, Seconds

__all__ = ["WebchatSettings"]


class WebchatSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[webchat]``"""

    #: Open streams of one process; above it the page is told to come back later.  Each is a connection, so less than
    #: server.connections_max, or there would be none left for what the pages say.
    streams_max: Count = 10_000
    #: Open streams of one visitor in one process: tabs, not a way to use up the process.  Above it the oldest
    #: ends.
    visitor_streams_max: Count = 8
    #: Bytes of previews that are kept of one running turn; what comes after them is seen with the settled
    #: reply.
    draft_bytes_max: Bytes = 65_536
    #: Running turns whose previews are kept.
    drafts_max: Count = 2_000
    #: Seconds between two signs of life on a stream: proxies leave it open, and a page that misses them knows
    #: that its network is gone.
    heartbeat_s: Seconds = 15.0
    #: Seconds after which a stream is closed and the page opens a new one, so that load spreads again.
    stream_age_max_s: Seconds = 900.0
    #: Turns that a new page is given of the conversation's past, and that are read at once.
    history_turns_max: Count = 50
