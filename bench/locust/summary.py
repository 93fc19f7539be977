"""What a run comes to, for a person and as JSON.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import msgspec

from bench.locust.desk import FAULTS, Desk, Tally
from bench.locust.watch import Generator
from bench.report import percentile

__all__ = ["Channel", "Summary", "summary"]

_NOTHING: Mapping[str, str] = MappingProxyType({})


class Channel(msgspec.Struct, frozen=True, kw_only=True):
    """One channel's messages, or those of all."""

    asked: int
    answered: int
    late: int
    lost: int
    doubled: int
    swapped: int
    wrong: int
    refused: int
    #: From the intended start to the answer's arrival; 0, and not told to a person, where nothing was answered.
    p50_ms: float
    p99_ms: float
    max_ms: float
    #: From when a delivery left to its acknowledgement; the same where none was.
    accepted_p50_ms: float
    accepted_p99_ms: float
    #: What was said first of all that is wrong.
    wrong_text: str = ""
    #: What went wrong first of all with a page, a delivery or a stream.
    failed_text: str = ""

    @property
    def faults(self) -> int:
        """How many messages did not end as promised; late ones are none of them."""
        return sum(getattr(self, kind) for kind in FAULTS)

    @property
    def text(self) -> str:
        """Return it as a line."""
        failed = f"; the first failure: {self.failed_text}" if self.failed_text else ""
        if not self.asked:
            return f"nothing was said{failed}"
        counts = ((getattr(self, kind), kind) for kind in ("late", *FAULTS))
        faults = ", ".join(f"{count:,} {kind}" for count, kind in counts if count)
        took = f"p50 {self.p50_ms:,.1f} ms, p99 {self.p99_ms:,.1f} ms, greatest {self.max_ms:,.0f} ms"
        accepted = f"p50 {self.accepted_p50_ms:,.1f} ms, p99 {self.accepted_p99_ms:,.1f} ms"
        return (
            f"{self.asked:,} messages, {took if self.answered else 'none answered'}; "
            f"{f'accepted {accepted}' if self.accepted_p99_ms else 'none accepted'}; "
            f"{faults or 'each answered once, in order, in time'}"
            f"{f'; the first wrong words: {self.wrong_text!r}' if self.wrong else ''}{failed}"
        )


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """A run."""

    conversations: int
    asked_rate: float
    #: Messages that left in a second.
    rate: float
    channels: Mapping[str, Channel]
    generator: Generator
    limit: str
    #: On the machine's clock (``CLOCK_MONOTONIC``), so that others can say what they did meanwhile.
    began_s: float
    #: What to look at in the deployment's settings; mostly nothing.
    advice: Sequence[str] = ()

    @property
    def messages(self) -> int:
        """How many left, over all channels."""
        return sum(channel.asked for channel in self.channels.values())

    @property
    def faults(self) -> int:
        """Over all channels."""
        return sum(channel.faults for channel in self.channels.values())

    @property
    def text(self) -> str:
        """Return it as a table."""
        head = f"\n{self.conversations:,} conversations, {self.rate:,.1f} messages/s of {self.asked_rate:,.1f} meant\n"
        lines = [f"  {name}: {one.text}\n" for name, one in self.channels.items()]
        if self.messages:
            lines.append(f"  generator: {self.generator.text}\n")
        more = (*self.advice, *([self.limit] if self.limit else []))
        return "".join((head, *lines, *(f"  {line}\n" for line in more)))


def summary(
    desk: Desk,
    generator: Generator,
    *,
    conversations: int,
    asked_rate: float,
    began_s: float,
    advice: Sequence[str] = (),
    failed: Mapping[str, str] = _NOTHING,
) -> Summary:
    """Return what *desk* and *generator* say together; *failed*: what went wrong first on a channel."""
    channels = {name: _channel(tally, failed.get(name, "")) for name, tally in desk.tallies.items()}
    return Summary(
        conversations=conversations,
        asked_rate=asked_rate,
        rate=sum(channel.asked for channel in channels.values()) / max(generator.took_s, 1e-9),
        channels=channels,
        generator=generator,
        limit=generator.limit,
        began_s=began_s,
        advice=advice,
    )


def _channel(tally: Tally, failed: str) -> Channel:
    return Channel(
        asked=tally.asked,
        answered=tally.answered,
        late=tally.late,
        **{kind: getattr(tally, kind) for kind in FAULTS},
        p50_ms=_ms(tally.took_s, 0.5),
        p99_ms=_ms(tally.took_s, 0.99),
        max_ms=_ms(tally.took_s, 1.0),
        accepted_p50_ms=_ms(tally.accepted_s, 0.5),
        accepted_p99_ms=_ms(tally.accepted_s, 0.99),
        wrong_text=tally.wrong_text,
        failed_text=failed,
    )


def _ms(seconds: Sequence[float], share: float) -> float:
    return 1e3 * percentile(seconds, share) if seconds else 0.0
