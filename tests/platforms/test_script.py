"""Plays as files: what each key means, and that every problem is told at once with its line."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.platforms.events import events
from gateway.platforms.faults import Fault
from gateway.platforms.plays.play import Expectation, PlayError, Step
from gateway.platforms.plays.script import read_play

README = Path(__file__).parents[2] / "gateway" / "platforms" / "plays" / "README.md"


KEYS = [
    *("title", "channel", "account", "user", "within_s", "step", "say", "tap", "fault", "pause_s", "thread", "group"),
    *("repeat", "twin", "count", "seconds", "on", "expect", "contains", "matches", "lacks", "button", "image", "none"),
    *("messages", "other"),
]


def toml(value: Any) -> str:
    """Return *value* as TOML, on one line."""
    match value:
        case dict():
            return "{" + ", ".join(f"{key} = {toml(inner)}" for key, inner in value.items()) + "}"
        case list():
            return "[" + ", ".join(map(toml, value)) + "]"
        case _:
            return json.dumps(value).replace("Infinity", "inf").replace("NaN", "nan")


def problems(text: str) -> list[str]:
    with pytest.raises(PlayError) as error:
        read_play("a.toml", text)
    assert str(error.value) == "\n".join(f"a.toml: {problem}" for problem in error.value.problems)
    return error.value.problems


def test_a_whole_play() -> None:
    """Every key, as the README has them."""
    play = read_play(
        "a.toml",
        """
        title = "All of it"
        channel = "slack"
        account = "bartender"
        user = "eve"
        within_s = 4

        [[step]]
        say = "hi"
        repeat = 1
        twin = true

        [[step]]
        user = "ben"
        thread = "kitchen"
        group = true
        tap = 2
        on = ["slack", "telegram"]
        within_s = 2.5
        expect = [{ contains = "a", matches = "b+", button = "c", image = true }, { lacks = "d" }]

        [[step]]
        fault = "slow"
        count = 3
        seconds = 0.5

        [[step]]
        pause_s = 1

        [[step]]
        expect = { none = true }

        [[step]]
        expect = { messages = 0 }
        within_s = 1
        """,
    )
    assert (play.title, play.channel, play.account) == ("All of it", "slack", "bartender")
    said, tapped, fault, pause, silence, counted = play.steps
    assert said == Step(line=8, user="eve", say="hi", repeat=1, twin=True, within_s=4, expect=(Expectation(),))
    assert tapped == Step(
        line=13,
        user="ben",
        thread="kitchen",
        group=True,
        tap="2",
        on=("slack", "telegram"),
        within_s=2.5,
        expect=(Expectation(contains="a", matches="b+", button="c", image=True), Expectation(lacks="d")),
    )
    assert (fault.fault, fault.fault_count, fault.expect) == (Fault("slow", 0.5), 3, ())
    assert (pause.pause_s, pause.expect) == (1, ())
    assert (silence.within_s, silence.expect) == (2, (Expectation(none=True),))
    assert (counted.within_s, counted.expect) == (1, (Expectation(messages=0),))


def test_the_readmes_example_is_a_play() -> None:
    """Indented as it stands there."""
    lines = README.read_text().partition("A play is a TOML file:\n")[2].partition("## Steps")[0]
    play = read_play("README", lines)
    assert [step.say or step.tap for step in play.steps] == ["I have gin, lemon and honey", "Bee's Knees"]


def test_all_problems_are_told_at_once() -> None:
    """In the order of the file, each with its line and step."""
    told = problems(
        'tittle = "x"\nwithin_s = -1\n\n[[step]]\nsay = ""\nrepeat = 101\n'
        '[[step]]\nsay = "a"\ntap = "b"\non = "slack"\n'
        "[[step]]\nfault = 'flood'\n[[step]]\n[[step]]\npause_s = 1\ncount = 2\n"
        '[[step]]\nsay = "a"\nexpect = [1, { matches = "+" }, { none = true, contains = "x" }, { buton = "y" }]\n'
    )
    assert told == [
        "line 1: unknown key 'tittle', did you mean title?",
        "line 2: within_s: expected seconds from 0 to 600, got -1",
        "line 5 (step 1): say: expected a text, got ''",
        "line 6 (step 1): repeat: expected a whole number from 0 to 100, got 101",
        "line 7 (step 2): expected one of say, tap, got 2 of them",
        "line 10 (step 2): on: expected a list of channels, got 'slack'",
        "line 12 (step 3): fault: expected one of 429, 500, slow, cut, got 'flood'",
        "line 13 (step 4): expected one of say, tap, fault, pause_s or expect, got none of them",
        "line 16 (step 5): count means something beside fault only",
        'line 19 (step 6): expect 1: expected a table such as { contains = "rum" }, got 1',
        "line 19 (step 6): expect 2: matches is no regular expression: nothing to repeat at position 0",
        "line 19 (step 6): expect 3: none stands alone: it is about all messages of the step",
        "line 19 (step 6): expect 4: unknown key 'buton', did you mean button?",
    ]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "there are no steps: expected [[step]] tables"),
        ("step = 1", "there are no steps: expected [[step]] tables"),
        ("step = [1]", "there are no steps: expected [[step]] tables"),
        ("[[step]\n", "is not TOML: "),
        ("[[step]]\ntap = 0", "line 2 (step 1): tap: expected a button's label or its number from 1 on, got 0"),
        ("[[step]]\ntap = true", "line 2 (step 1): tap: expected a button's label or its number from 1 on, got True"),
        ("[[step]]\nsay = 'x'\ngroup = 1", "line 3 (step 1): group: expected true or false, got 1"),
        (
            "[[step]]\n  'sey' = 'x'\n[[step]]\nsay = 'sey'",
            "line 2 (step 1): unknown key 'sey'; expected one of say, tap, fault, pause_s, user, thread, group, ",
        ),
        ("step = [{ say = 1 }]", "step 1: say: expected a text, got 1"),
        ("[[step]]\nfault = '429'\ncount = 0", "line 3 (step 1): count: expected a whole number from 1 to 100, got 0"),
        ("[[step]]\nfault = 'slow'\nseconds = 61", "line 3 (step 1): seconds: expected seconds from 0 to 60, got 61"),
        (
            "[[step]]\nsay = 'x'\non = ['slak']",
            "line 3 (step 1): on: expected one of alexa, slack, telegram, webchat, got 'slak', did you mean slack?",
        ),
        (
            "channel = 'telegraph'\n[[step]]\nsay = 'x'",
            "line 1: channel: expected one of alexa, slack, telegram, webchat, got 'telegraph', did you mean telegram?",
        ),
    ],
)
def test_a_problem_is_named(text: str, problem: str) -> None:
    """One at a time."""
    assert problems(text)[0].startswith(problem)


def test_steps_with_the_same_words_are_told_apart() -> None:
    """By what each does with them, in front of the words, which may be cut off."""
    head = "[[step]]\nuser = 'ada'\nsay = 'hi'\n"
    more = ["on = ['slack', 'alexa']", "group = true\nthread = 'kitchen'", "repeat = 2\ntwin = true", ""]
    told = [str(step) for step in read_play("a.toml", "\n".join(head + each for each in more)).steps]
    assert told == [
        "ada [on slack, alexa]: hi",
        "ada [group; thread kitchen]: hi",
        "ada [repeat 2; twin]: hi",
        "ada: hi",
    ]


_VALUES = st.recursive(
    st.one_of(st.booleans(), st.integers(-5, 1_000), st.floats(), st.sampled_from(["", "slow", "x", "("])),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=4),
    max_leaves=8,
)


_TABLES = st.dictionaries(st.sampled_from(KEYS), _VALUES)


@given(_TABLES, st.lists(_TABLES, max_size=3))
def test_any_table_is_a_play_or_a_list_of_problems(head: dict[str, Any], steps: list[dict[str, Any]]) -> None:
    """No file makes a traceback."""
    head.pop("step", None)
    text = "".join(f"{key} = {toml(value)}\n" for key, value in head.items())
    text += "".join(
        "[[step]]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in step.items()) for step in steps
    )
    with contextlib.suppress(PlayError):
        assert read_play("a.toml", text).steps


def test_a_stream_is_read_by_its_blank_lines() -> None:
    """Names, ids that last, comments, data over several lines, line ends of both kinds; an unended event is none."""
    lines = b"retry: 5\n\nevent: turn\nid: 3\ndata: {}\n\n: alive\n\ndata: a\ndata: b\r\n\r\nevent: beat\ndata: lost"
    found = [(event.name, event.data, event.last_id) for event in events(lines.splitlines(keepends=True))]
    assert found == [("turn", "{}", "3"), ("message", "a\nb", "3")]
