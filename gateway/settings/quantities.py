"""The kinds of number that settings are made of, each with a range that a typing error falls out of."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

__all__ = ["Bytes", "Count", "Days", "Port", "Rate", "Ratio", "Rows", "Seconds", "Share"]

#: How many of something.  Never zero: a bound of nothing is a switch, and a switch is a bool.
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
#: How many rows of a table.
Rows = Annotated[int, Meta(ge=1, le=1_000_000_000)]
#: 64 bytes to 1 GiB.
Bytes = Annotated[int, Meta(ge=64, le=1_073_741_824)]
#: A wait.  The upper end keeps a figure meant as milliseconds from passing as seconds.
Seconds = Annotated[float, Meta(ge=0.001, le=3_600)]
Days = Annotated[float, Meta(ge=0.01, le=3_650)]
Port = Annotated[int, Meta(ge=1, le=65_535)]
#: How many of something in a second.
Rate = Annotated[float, Meta(ge=0.001, le=1_000_000)]
#: A share of a whole.
Ratio = Annotated[float, Meta(ge=0.01, le=1)]
#: A share of a whole, or nothing of it.
Share = Annotated[float, Meta(ge=0, le=1)]
