"""The outbox: how replies are pushed to the platforms."""

from __future__ import annotations

import msgspec

from gateway.settings.quantities import Count, Seconds

__all__ = ["OutboxSettings"]


class OutboxSettings(msgspec.Struct, frozen=True, kw_only=True):
    """``[outbox]``"""

    #: Unsent replies of one account; above it the account's new messages are refused.
    outbox_rows_per_account_max: Count = 10_000
    #: Tries of one reply before it is a dead letter.
    attempts_max: Count = 12
    #: Seconds of the first pause between two tries; it doubles with each, with full jitter.
    backoff_base_s: Seconds = 1.0
    #: Seconds of the longest pause between two tries.
    backoff_max_s: Seconds = 300.0
    #: Replies that one worker sends at once.
    sends_in_flight_max: Count = 64
    #: Replies that one gateway has in its hands to send them itself, behind the turn; workers send what is above it.
    gateway_sends_max: Count = 256
    #: Seconds for one send, from the first byte to the platform's answer.
    send_timeout_s: Seconds = 10.0

    def __post_init__(self) -> None:
        if self.backoff_base_s > self.backoff_max_s:
            raise ValueError(
                f"backoff_base_s ({self.backoff_base_s:g}) must not be more than "
                f"backoff_max_s ({self.backoff_max_s:g})"
            )
