"""Slack's text format: what users wrote is read as they saw it, what we write means only what we meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.slack.mrkdwn import escape, from_markdown, to_plain
from tests.support.work import bounded_work

ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))


@pytest.mark.parametrize(
    ("slack", "plain"),
    [
        ("2 &lt; 3 &amp;&amp; 4 &gt; 3", "2 < 3 && 4 > 3"),
        ("&amp;lt;", "&lt;"),
        ("<https://bar.example>", "https://bar.example"),
        ("<https://bar.example|bar.example>", "https://bar.example"),
        ("<https://bar.example|the bar>", "the bar (https://bar.example)"),
        ("<mailto:a@bar.example|a@bar.example>", "a@bar.example"),
        ("<@U061F7AUR> and <@U061F7AUR|ada>", "@U061F7AUR and @ada"),
        ("<#C1|general> <#C2>", "#general #C2"),
        ("<!here> <!channel> <!subteam^S1|@bar>", "@here @channel @bar"),
        ("<!date^1392734382^{date}|18 Feb>", "18 Feb"),
        ("a < b", "a < b"),
    ],
)
def test_text_is_read_as_its_writer_saw_it(slack: str, plain: str) -> None:
    assert to_plain(slack) == plain


@given(ANY_TEXT)
def test_escaped_text_is_read_back_as_it_was(text: str) -> None:
    """No text of a user or an assistant is a control sequence: escape and to_plain are inverse."""
    escaped = escape(text)

    assert "<" not in escaped
    assert ">" not in escaped
    assert to_plain(escaped) == text


@pytest.mark.parametrize(
    ("markdown", "mrkdwn"),
    [
        ("**Shake** it", "*Shake* it"),
        ("__Shake__ it", "*Shake* it"),
        ("*stir* and _stir_", "_stir_ and _stir_"),
        ("~~gin~~ rum", "~gin~ rum"),
        ("[the bar](https://bar.example?a=1&b=2)", "<https://bar.example?a=1&amp;b=2|the bar>"),
        ("**[the bar](https://bar.example)**", "*<https://bar.example|the bar>*"),
        ("![picture](https://bar.example/a.png)", "<https://bar.example/a.png|picture>"),
        ("## Martini\ncold", "*Martini*\ncold"),
        ("- gin\n* ice", "• gin\n• ice"),
        ("`a*b*c` and ```python\nx < 1\n```", "`a*b*c` and ```\nx &lt; 1\n```"),
        ("2 * 3 * 4 snake_case_name", "2 * 3 * 4 snake_case_name"),
        ("<!channel> & <@U1>", "&lt;!channel&gt; &amp; &lt;@U1&gt;"),
        ("[x](javascript:alert(1))", "[x](javascript:alert(1))"),
        ("[Gin](https://a.example/Gin_(drink)?a|b)", "<https://a.example/Gin_(drink)?a%7Cb|Gin>"),
        ("[<!here>](https://bar.example)", "<https://bar.example|&lt;!here&gt;>"),
        ("**never closed", "**never closed"),
    ],
)
def test_markdown_becomes_mrkdwn(markdown: str, mrkdwn: str) -> None:
    assert from_markdown(markdown) == mrkdwn


@given(
    st.lists(
        st.sampled_from(
            ["*", "**", "_", "`", "[", "](https://x.example)", "<!channel>", "<@U1>", "a", " ", "\n"]
        )
    )
)
def test_no_markdown_can_mention_anybody(pieces: list[str]) -> None:
    """Between all marks, the only control sequences that leave are links to web addresses."""
    text = from_markdown("".join(pieces))

    assert text.count("<") == text.count("<https://x.example|")


@pytest.mark.parametrize(
    "unit",
    ["**a ", "*a ", "[a", "`", "```", "~~a ", "__a ", "[a](https://x", "[a](https://x()", "[a](https://x/(", "# ", "- ",
     "<a "],
)  # fmt: skip
def test_unclosed_marks_cost_no_second_reading(unit: str) -> None:
    text = (unit * 40_000)[:40_000]

    with bounded_work():
        from_markdown(text)
        to_plain(text)
