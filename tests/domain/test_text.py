"""Text at the borders: what a store refuses is replaced, and what is cut loses nothing but white space."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.text import clean, repair_surrogates, shorten, split

ANY_TEXT = st.text(st.characters(exclude_categories=[]))


@given(ANY_TEXT)
def test_clean_text_can_be_stored_and_keeps_its_length(text: str) -> None:
    """No NUL and no lone surrogate is left, and every other character stands where it stood."""
    cleaned = clean(text)

    cleaned.encode()
    assert "\x00" not in cleaned
    assert len(cleaned) == len(text)
    assert all(
        old in (new, "\x00") or "\ud800" <= old <= "\udfff" for old, new in zip(text, cleaned, strict=True)
    )


def test_clean_replaces_what_stands_in_the_middle() -> None:
    assert clean("gin\x00and\ud83dtonic 🍸") == "gin\ufffdand\ufffdtonic 🍸"


@given(ANY_TEXT)
def test_repaired_json_decodes_to_what_utf16_makes_of_it(text: str) -> None:
    """Pairs become their character, whoever wrote the halves; each half without its other becomes U+FFFD."""
    escaped = json.dumps(text).encode()

    expected = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    assert msgspec.json.decode(repair_surrogates(escaped)) == expected


@pytest.mark.parametrize(
    ("escaped", "expected"),
    [
        (rb'"\ud83c\udf78"', "🍸"),
        (rb'"\ud83c"', "\ufffd"),
        (rb'"\udf78\ud83c"', "\ufffd\ufffd"),
        (rb'"\ud83c\ud83c\udf78"', "\ufffd🍸"),
        (rb'"\\ud83c"', "\\ud83c"),
        (rb'"\\\ud83c"', "\\\ufffd"),
        (rb'"\uD83C\uDF78 \u0041"', "🍸 A"),
    ],
)
def test_repair_replaces_lone_surrogates_only(escaped: bytes, expected: str) -> None:
    assert msgspec.json.decode(repair_surrogates(escaped)) == expected


@given(st.text(), st.integers(1, 50))
def test_shortened_text_is_within_its_bound(text: str, chars_max: int) -> None:
    shortened = shorten(text, chars_max)

    assert len(shortened) <= chars_max
    assert shortened == text or shortened.endswith("…")


@given(st.text(st.sampled_from("ab \n")), st.integers(1, 30))
def test_split_loses_only_white_space(text: str, chars_max: int) -> None:
    """Each piece fits and has something in it, and together they hold every visible character in order."""
    pieces = split(text, chars_max)

    assert all(len(piece) <= chars_max and piece.strip() for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())


def test_split_prefers_paragraphs_to_lines_to_words() -> None:
    assert split("one two\n\nthree four", 15) == ["one two", "three four"]
    assert split("one two\nthree four", 14) == ["one two", "three four"]
    assert split("one two three four", 15) == ["one two three", "four"]
    assert split("unbreakable", 4) == ["unbr", "eaka", "ble"]
