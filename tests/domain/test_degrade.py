"""Degradation: what a surface cannot show becomes its best equivalent, and each change is one line."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.capabilities import Capabilities
from gateway.domain.degrade import degrade, in_words
from gateway.domain.reply import (
    Audio,
    Button,
    Buttons,
    Card,
    File,
    Image,
    Item,
    List,
    Part,
    Reply,
    Speech,
    Suggestions,
    Text,
)
from tests.channels.strategies import parts, replies

ALL = frozenset({"text", "speech", "image", "audio", "file", "card", "list", "buttons", "suggestions"})
PICTURE = Image("https://a.example/m.png", "A Martini")


def surface(*shows: str, chars: int = 1_000, buttons: int = 3, markdown: bool = False) -> Capabilities:
    return Capabilities(
        shows=frozenset(shows),
        answers_in_response=False,
        answer_by_s=3.0,
        turn_deadline_s=60.0,
        late="push",
        redelivery="redelivers",
        text_chars_max=chars,
        buttons_max=buttons,
        markdown=markdown,
    )


@pytest.mark.parametrize(
    ("part", "shown", "lines"),
    [
        (Text("Hi"), [Text("Hi")], []),
        (Text("**Hi**", markdown=True), [Text("Hi")], ["text: markdown shown as plain text"]),
        (Speech("Hi", "<speak>Hello</speak>"), [Text("Hi")], ["speech: shown as text"]),
        (Speech("", "<speak>Hello<break/>you</speak>"), [Text("Hello you")], ["speech: shown as text"]),
        (PICTURE, [Text("A Martini: https://a.example/m.png")], ["image: shown as its description"]),
        (
            Audio("https://a.example/a.mp3", "Clink"),
            [Text("Clink"), Text("Audio: https://a.example/a.mp3")],
            ["audio: shown as its transcript"],
        ),
        (
            File("https://a.example/menu.pdf", "Menu"),
            [Text("Menu: https://a.example/menu.pdf")],
            ["file: shown as a link"],
        ),
        (
            Buttons("Which?", (Button("Gin", "g"), Button("Site", url="https://a.example"))),
            [Text("Which?\n1. Gin\n2. Site: https://a.example")],
            ["buttons: shown as text"],
        ),
        (
            Suggestions(("More", "Less")),
            [Text("You can say: “More”, “Less”")],
            ["suggestions: shown as text"],
        ),
        (
            List((Item("Gin", "dry"), Item("Rum", image=PICTURE)), title="Spirits"),
            [Text("Spirits\n1. Gin – dry\n2. Rum"), Text("A Martini: https://a.example/m.png")],
            ["list: shown as text", "image: shown as its description"],
        ),
        (
            Card("Martini", "Stir.", "cold", PICTURE, (Button("Make it", "m"),)),
            [
                Text("Martini\ncold\nStir."),
                Text("A Martini: https://a.example/m.png"),
                Text("1. Make it"),
            ],
            ["card: shown as text", "image: shown as its description", "buttons: shown as text"],
        ),
    ],
)
def test_a_surface_with_text_only_shows_the_words(part: Part, shown: list[Part], lines: list[str]) -> None:
    assert degrade(Reply((part,)), surface("text")) == (tuple(shown), tuple(lines))


def test_a_card_keeps_its_picture_where_pictures_are_shown() -> None:
    """Only what cannot be shown changes: the parts of a part are looked at one by one."""
    card = Card("Martini", "Stir.", image=PICTURE, buttons=(Button("Make it", "m"),))

    shown, lines = degrade(Reply((card,)), surface("text", "image"))

    assert shown == (Text("Martini\nStir."), PICTURE, Text("1. Make it"))
    assert lines == ("card: shown as text", "buttons: shown as text")


def test_a_shown_card_gives_up_only_what_the_surface_lacks() -> None:
    card = Card("Martini", "Stir.", image=PICTURE, buttons=(Button("Make it", "m"),))

    shown, lines = degrade(Reply((card,)), surface("text", "card"))

    assert shown == (Card("Martini", "Stir."), Text("A Martini: https://a.example/m.png"), Text("1. Make it"))
    assert lines == ("image: shown as its description", "buttons: shown as text")


def test_the_same_words_for_eye_and_ear_are_shown_once() -> None:
    """Assistants say a sentence twice, for voice and screen; a screen shows it once and says so."""
    reply = Reply(
        (Text("Here you are."), Speech("here  you are.", "<speak>Here you are.</speak>"), Speech("Bye"))
    )

    shown, lines = degrade(reply, surface("text"))

    assert shown == (Text("Here you are."), Text("Bye"))
    assert lines == ("speech: left out: the same words are shown as text", "speech: shown as text")


def test_a_voice_says_what_a_screen_would_show() -> None:
    reply = Reply((Text("*Hi*", markdown=True), PICTURE, File("https://a.example/menu.pdf", "Menu")))

    shown, lines = degrade(reply, surface("speech"))

    assert shown == (Speech("Hi"), Speech("A Martini"), Speech("Menu"))
    assert lines == ("text: said as speech", "image: said as its description", "file: said by its name")


def test_a_surface_without_words_says_that_it_has_none() -> None:
    shown, lines = degrade(Reply((Text("Hi"), Speech("Hi"), PICTURE)), surface("image"))

    assert shown == (PICTURE,)
    assert lines == (
        "text: not shown: the surface has no words",
        "speech: not said: the surface has no words",
    )


def test_a_link_is_one_where_markdown_is() -> None:
    shown, _ = degrade(Reply((PICTURE,)), surface("text", markdown=True))

    assert shown == (Text("[A Martini](https://a.example/m.png)", markdown=True),)


def test_long_text_is_split_and_too_many_buttons_are_grouped() -> None:
    reply = Reply((Text("one two three"), Buttons("Which?", tuple(Button(label) for label in "abcde"))))

    shown, lines = degrade(reply, surface("text", "buttons", chars=8, buttons=2))

    assert shown == (
        Text("one two"),
        Text("three"),
        Buttons("Which?", (Button("a"), Button("b"))),
        Buttons("", (Button("c"), Button("d"))),
        Buttons("", (Button("e"),)),
    )
    assert lines == ("text: split into 2", "buttons: split into 3 groups")


def test_a_surface_without_room_for_buttons_does_not_show_them() -> None:
    """``buttons_max`` of 0 outweighs the name in ``shows``."""
    shown, _ = degrade(Reply((Suggestions(("More",)),)), surface("text", "suggestions", buttons=0))

    assert shown == (Text("You can say: “More”"),)


@given(replies)
def test_what_can_be_shown_stays_as_it_is(reply: Reply) -> None:
    """On a surface that shows everything, nothing changes and there is nothing to report."""
    everything = surface(*ALL, chars=40_000, buttons=25, markdown=True)

    assert degrade(reply, everything) == (reply.parts, ())


@given(replies, st.sets(st.sampled_from(sorted(ALL))), st.integers(20, 500), st.integers(0, 5), st.booleans())
def test_every_result_is_allowed_and_every_change_is_told(
    reply: Reply, shows: set[str], chars: int, buttons: int, markdown: bool
) -> None:
    """Whatever the table: only part types that it names leave, inside its bounds, and no change is silent."""
    shown, lines = degrade(reply, surface(*shows, chars=chars, buttons=buttons, markdown=markdown))

    for part in shown:
        assert part.__struct_config__.tag in shows
        if isinstance(part, Text):
            assert len(part.text) <= chars
            assert markdown or not part.markdown
        if isinstance(part, Buttons | Card):
            assert len(part.text) <= chars
            assert len(part.buttons) <= max(buttons, 0)
    if shown != reply.parts:
        assert lines


@given(parts, st.sets(st.sampled_from(sorted(ALL - {"speech"}))).map(lambda drawn: drawn | {"text"}))
def test_no_words_are_lost_where_there_are_words(part: Part, shows: set[str]) -> None:
    """On any surface with text, every word of a part is still there, and nothing became shorter."""
    if isinstance(part, Speech) and not part.text.strip():
        return  # its words are between tags: the examples above show them
    shown, _ = degrade(Reply((part,)), surface(*shows, chars=200, markdown=True))

    said = _squeezed("".join(_words(each) for each in shown))
    assert all(_squeezed(word) in said for word in _words(part).split())
    assert len(said) >= len(_squeezed(_words(part)))


def _words(value: object) -> str:
    """Return all texts of a part, titles and labels included, addresses and values not."""
    if isinstance(value, str):
        return value + " "
    if isinstance(value, list | tuple):
        return "".join(map(_words, value))
    if isinstance(value, msgspec.Struct):
        order = ("transcript", "title", "subtitle", "text", "alt", "name", "label", "items", "texts", "image")
        return "".join(_words(getattr(value, field, "")) for field in (*order, "buttons"))
    return ""


def _squeezed(text: str) -> str:
    return "".join(text.split())


def test_who_reads_words_alone_gets_a_text_for_each_part_that_has_some() -> None:
    parts = (Text("**Hi**", markdown=True), PICTURE, Text(" "))

    assert in_words(parts) == ("Hi", "A Martini: https://a.example/m.png")
    assert in_words(parts, markdown=True) == ("**Hi**", "[A Martini](https://a.example/m.png)")
