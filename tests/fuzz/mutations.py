"""Bytes that were once right: pieces cut out, repeated, exchanged, and replaced by what parsers stumble over."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

__all__ = ["AWKWARD", "JSON", "mutated", "placed"]

#: What has broken parsers before.
AWKWARD = (
    b"",
    b"\x00",
    b"\xff\xfe",
    b"\xed\xa0\x80",
    b"\\u0000",
    b"\\ud83d",
    b"\\udc00\\ud83d",
    b"%00",
    b"%ff",
    b"%",
    b"+",
    b"&&==",
    b'"',
    b"{",
    b"}",
    b"[" * 2_000,
    b'{"a":' * 600,
    b"null",
    b"true",
    b"-0",
    b"1e999",
    b"-1",
    b"0.1e-400",
    b"9" * 400,
    b"NaN",
    b'"\\u2028"',
    b"\r\n\r\n",
    b"\n",
    "\u202e\U0001f468\u200d\U0001f373".encode(),
    b"'; DROP TABLE turns; --",
    b"<script>",
    b"a" * 5_000,
)


@st.composite
def mutated(draw: st.DrawFn, originals: st.SearchStrategy[bytes]) -> bytes:
    """Draw one of *originals* with one to three things done to it."""
    body = draw(originals)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(body)))
        end = min(len(body), start + draw(st.integers(0, 40)))
        repeated = body[start:end] * draw(st.integers(0, 4))
        piece = draw(st.just(repeated) | st.sampled_from(AWKWARD) | st.binary(max_size=8))
        body = body[:start] + piece + body[end:]
    return body


#: Texts that no store keeps, that are no ids, or that are more than an index holds.
_TEXTS = (
    "",
    "\x00",
    "a\x00b",
    "\ud83d",
    "a\udc00b",
    "a" * 10_000,
    "http://127.0.0.1:1/",
    "1763800000.000001",
    "nan",
)

#: Any value at all, texts like these above all.
JSON: st.SearchStrategy[Any] = st.sampled_from(_TEXTS) | st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=[]), max_size=30)
    | st.sampled_from(_TEXTS),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@st.composite
def placed(draw: st.DrawFn, value: Any) -> Any:
    """Draw *value*, a JSON value, with any other in one of its places."""
    if not isinstance(value, dict | list) or not value or draw(st.integers(0, 9)) == 0:
        return draw(JSON)
    if isinstance(value, list):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], draw(placed(value[at])), *value[at + 1 :]]
    key = draw(st.sampled_from(sorted(value)))
    return {**value, key: draw(placed(value[key]))}
