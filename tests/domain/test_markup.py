"""Markup made plain: marks go, words stay, and no input makes much work."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.markup import plain_from_markdown, plain_from_ssml, split_markdown
from tests.support.work import bounded_work


@pytest.mark.parametrize(
    ("ssml", "words"),
    [
        ("<speak>Cheers<break time='1s'/>everyone</speak>", "Cheers everyone"),
        ("<speak><p>One.</p><p>Two.</p></speak>", "One. Two."),
        ("<speak>Gin &amp; tonic, 2 &lt; 3</speak>", "Gin & tonic, 2 < 3"),
        ("<speak><!-- aside -->Hello</speak>", "Hello"),
        ("2 < 3 and <emphasis>4</emphasis> > 3", "2 < 3 and 4 > 3"),
        ("<speak>never closed <sub alias='x", "never closed <sub alias='x"),
        ("&lol;&#x0;", "&lol;\ufffd"),
    ],
)
def test_ssml_loses_its_tags_and_keeps_its_words(ssml: str, words: str) -> None:
    assert plain_from_ssml(ssml) == words


@pytest.mark.parametrize(
    ("markdown", "plain"),
    [
        ("**Shake** it, *don't* stir", "Shake it, don't stir"),
        ("2 * 3 * 4 and snake_case_name", "2 * 3 * 4 and snake_case_name"),
        ("# Martini\ncold", "Martini\ncold"),
        ("[the bar](https://bar.example)", "the bar (https://bar.example)"),
        ("[https://bar.example](https://bar.example)", "https://bar.example"),
        ("([Gin](https://a.example/Gin_(drink)))", "(Gin (https://a.example/Gin_(drink)))"),
        ("`code` and ```\nfence\n```", "code and fence\n"),
        ("```inline``` stays", "inline stays"),
        ("**never closed", "**never closed"),
    ],
)
def test_markdown_loses_its_marks_and_keeps_its_words(markdown: str, plain: str) -> None:
    assert plain_from_markdown(markdown) == plain


@pytest.mark.parametrize(
    "unit",
    ["**a ", "*a ", "[a", "`", "~~a ", "__a ", "[a](https://x", "[a](https://x()", "[a](https://x/(", "# ", "<a ",
     "<!--"],
)  # fmt: skip
def test_unclosed_marks_cost_no_second_reading(unit: str) -> None:
    """A text of nothing but openings, as long as a reply may be."""
    text = (unit * 40_000)[:40_000]

    with bounded_work():
        plain_from_markdown(text)
        plain_from_ssml(text)


def test_a_block_of_code_that_is_cut_is_one_in_each_piece() -> None:
    """Its language and its indentation are kept, and what comes behind it is no code."""
    code = [f"    line_{number}" for number in range(40)]
    pieces = split_markdown("\n".join(["Here:", "", "```python", *code, "```", "", "That is **all**."]), 200)

    assert len(pieces) > 2
    assert all(len(piece) <= 200 and piece.count("```") == 2 for piece in pieces)
    assert all(piece.startswith("```python\n    line_") for piece in pieces[1:])
    assert pieces[-1].endswith("```\n\nThat is **all**.")
    kept = [line for piece in pieces for line in piece.split("\n") if line.startswith("    ")]
    assert kept == code


def test_no_piece_opens_a_block_for_nothing() -> None:
    """Wherever the cut falls, also between the last line of code and its end."""
    code = "\n".join(f"    line_{number}" for number in range(20))
    for chars_max in range(150, 350):
        pieces = split_markdown(f"```python\n{code}\n```\n" + "Done. " * 60, chars_max)
        assert not [piece for piece in pieces if "```python\n```" in piece or piece.strip() == "```"]
        assert sum(piece.count("line_") for piece in pieces) == 20


@given(st.text(st.sampled_from("ab `*\n"), max_size=400), st.integers(100, 150))
def test_cut_markdown_keeps_its_bound_and_every_word(text: str, chars_max: int) -> None:
    pieces = split_markdown(text, chars_max)

    assert all(piece.strip() and len(piece) <= chars_max for piece in pieces)
    assert re.sub(r"[`\s]", "", "".join(pieces)) == re.sub(r"[`\s]", "", text)


@given(st.text(st.sampled_from("ab \n"), max_size=400), st.integers(1, 150))
def test_markdown_without_code_is_cut_wherever_its_bound_is(text: str, chars_max: int) -> None:
    pieces = split_markdown(text, chars_max)

    assert all(piece.strip() and len(piece) <= chars_max for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.split())
