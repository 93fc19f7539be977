"""Formatted texts: cut anywhere they say the same, and Telegram's offsets mean what we meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import MessageEntity
from telegram._utils.entities import parse_message_entities

from gateway.channels.telegram.markdown import from_markdown
from gateway.channels.telegram.rich import Rich, Span, between, encode, join, units
from tests.support.work import bounded_work

TEXTS = st.text(
    st.one_of(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), st.sampled_from("🍸é \n")),
    max_size=60,
)


@st.composite
def riches(draw: st.DrawFn) -> Rich:
    text = draw(TEXTS)
    spans = []
    for kind in draw(st.lists(st.sampled_from(["bold", "italic", "code"]), max_size=3)):
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, len(text)))
        if start < end:
            spans.append(Span(start, end, kind))
    return Rich(text, tuple(spans))


def shown(rich: Rich) -> set[tuple[str, str]]:
    """Return what python-telegram-bot finds formatted in it, by kind."""
    body = rich.body()
    entities = MessageEntity.de_list(body.get("entities", []), None)
    return {
        (entity.type, stretch) for entity, stretch in parse_message_entities(body["text"], entities).items()
    }


@given(riches())
def test_their_offsets_find_our_stretches(rich: Rich) -> None:
    """python-telegram-bot cuts the text by UTF-16 code units, as Telegram's clients do."""
    assert shown(rich) == {(span.kind, rich.text[span.start : span.end]) for span in rich.spans}


@given(riches(), st.integers(2, 70))
def test_pieces_are_within_the_bound_and_lose_nothing_but_space(rich: Rich, units_max: int) -> None:
    pieces = list(rich.pieces(units_max))

    assert all(0 < units(piece.text) <= units_max for piece in pieces)
    assert all(piece.text == piece.text.strip() for piece in pieces)
    assert "".join("".join(piece.text.split()) for piece in pieces) == "".join(rich.text.split())
    for kind in ("bold", "italic", "code"):
        assert _formatted(pieces, kind) == _formatted([rich], kind)


@given(st.lists(riches(), max_size=4), st.sampled_from(["", "\n\n"]))
def test_what_is_joined_keeps_its_formats(parts: list[Rich], separator: str) -> None:
    whole = join(parts, separator)

    assert whole.text == separator.join(part.text for part in parts if part.text)
    assert [whole.text[span.start : span.end] for span in whole.spans] == [
        part.text[span.start : span.end] for part in parts for span in part.spans
    ]


@given(TEXTS, st.data())
def test_a_stretch_is_found_by_its_code_units(text: str, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    assert between(encode(text), units(text[:start]), units(text[:end])) == text[start:end]


@pytest.mark.parametrize(
    ("markdown", "text", "formats"),
    [
        ("**Shake** it", "Shake it", {("bold", "Shake")}),
        ("__Shake__ *it* _now_", "Shake it now", {("bold", "Shake"), ("italic", "it"), ("italic", "now")}),
        ("~~gin~~ rum", "gin rum", {("strikethrough", "gin")}),
        ("[the bar](https://bar.example?a=1&b=2)", "the bar", {("text_link", "the bar")}),
        ("[Gin](https://a.example/Gin_(drink))", "Gin", {("text_link", "Gin")}),
        ("**[the bar](https://bar.example)**", "the bar", {("bold", "the bar"), ("text_link", "the bar")}),
        ("![picture](https://bar.example/a.png)", "picture", {("text_link", "picture")}),
        ("## Martini\ncold", "Martini\ncold", {("bold", "Martini")}),
        ("- gin\n* ice", "• gin\n• ice", set()),
        ("`a*b*c` and ```python\nx < 1\n```", "a*b*c and x < 1", {("code", "a*b*c"), ("pre", "x < 1")}),
        ("**`code`**", "code", {("code", "code")}),
        ("🍸🍋 **cold** 🍸", "🍸🍋 cold 🍸", {("bold", "cold")}),
        ("2 * 3 * 4 snake_case_name", "2 * 3 * 4 snake_case_name", set()),
        ("<b>&amp;</b>", "<b>&amp;</b>", set()),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))", set()),
        ("**never closed", "**never closed", set()),
    ],
)
def test_markdown_becomes_formats(markdown: str, text: str, formats: set[tuple[str, str]]) -> None:
    rich = from_markdown(markdown)

    assert rich.text == text
    assert shown(rich) == formats


def test_a_language_of_code_and_the_address_of_a_link_are_kept() -> None:
    rich = from_markdown("```python\nx\n``` [a](https://a.example)")

    assert rich.body()["entities"] == [
        {"type": "pre", "offset": 0, "length": 1, "language": "python"},
        {"type": "text_link", "offset": 2, "length": 1, "url": "https://a.example"},
    ]


@pytest.mark.parametrize(
    "unit",
    ["**a ", "*a ", "_a ", "[a", "`", "```", "```\n", "~~a ", "__a ", "[a](https://x", "[a](https://x()",
     "[a](https://x/(", "# ", "- ", "<a "],
)  # fmt: skip
def test_unclosed_marks_cost_no_second_reading(unit: str) -> None:
    text = (unit * 10_000)[:40_000]
    with bounded_work():
        from_markdown(text)


@pytest.mark.parametrize("text", ["x" * 40_000, "🍸" * 20_000, " " * 40_000, "a " * 20_000])
def test_long_texts_are_cut_with_bounded_work(text: str) -> None:
    with bounded_work():
        pieces = list(Rich(text).pieces(4_096))

    assert all(units(piece.text) <= 4_096 for piece in pieces)


def _formatted(pieces: list[Rich], kind: str) -> str:
    """Return all characters that are of *kind*, without white space."""
    return "".join(
        character
        for piece in pieces
        for at, character in enumerate(piece.text)
        if not character.isspace() and any(s.kind == kind and s.start <= at < s.end for s in piece.spans)
    )
