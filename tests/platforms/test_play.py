"""``switchboard play``: the shipped plays on every channel, and what a play that fails tells its author."""

from __future__ import annotations

import functools
import json
import secrets
from pathlib import Path
from xml.etree import ElementTree as ET

import gevent
import pytest

from gateway.cli.trials import Trials
from gateway.platforms.plays.performance import perform
from gateway.platforms.plays.report import Performance, summary
from gateway.platforms.plays.script import read_play
from gateway.platforms.registry import platforms
from tests.platforms.trial_stack import CHANNELS, TrialStack
from tests.support.waiting import GUARD_S

#: A play whose expectation is not met by the answer, and what is said of that.
UNMET = 'account = "bartender"\n[[step]]\nsay = "What is a negroni?"\nwithin_s = 2\nexpect = {}\n'
UNMET_EXPECTATIONS = {
    "{ none = true }": "expected no message",
    "{ messages = 2 }": "expected 2 messages in all",
    "{ lacks = 'negroni' }": "expected no message that contains 'negroni'",
    "{ button = 'Champagne' }": "a message that has a button 'Champagne'",
    "{ image = true }": "a message that has an image",
    "{ matches = '^$' }": "a message that matches '^$'",
}
SHIPPED = sorted((Path(__file__).parents[2] / "gateway" / "demo").glob("*/plays/*.toml"))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "some.toml"


def test_there_are_shipped_plays() -> None:
    """What follows looks at something."""
    assert {path.parents[1].name for path in SHIPPED} >= {"bartender"}


@pytest.fixture(scope="module")
def performances(_shared_trial: TrialStack) -> dict[tuple[str, str], Performance]:
    """Every play of these tests by its name, on its channel: all at once, because most of a play is waiting."""
    plays = [(str(path), channel, path.read_text()) for path in SHIPPED for channel in CHANNELS]
    plays += [(expect, "webchat", UNMET.format(expect)) for expect in UNMET_EXPECTATIONS]
    with pytest.MonkeyPatch.context() as patch:
        for name, value in _shared_trial.env.items():
            patch.delenv(name, raising=False) if value is None else patch.setenv(name, value)
        trials = Trials()
    at = functools.cache(trials.trial)
    under_way = {}
    for name, channel, text in plays:
        play = read_play(name, text)
        outcomes = gevent.spawn(lambda *of: [*perform(*of)], play, at(channel, play.account), secrets.token_hex(3))
        under_way[name, channel] = play, outcomes
    gevent.joinall([outcomes for _, outcomes in under_way.values()], timeout=GUARD_S, raise_error=True)
    return {
        (name, channel): Performance(name, play.title, channel, play.account, tuple(outcomes.get(block=False)))
        for (name, channel), (play, outcomes) in under_way.items()
    }


@pytest.mark.parametrize("channel", CHANNELS)
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: f"{path.parents[1].name}-{path.stem}")
def test_a_shipped_play_goes_as_written(
    performances: dict[tuple[str, str], Performance], path: Path, channel: str
) -> None:
    """On every channel, with a stranger's memory."""
    performance = performances[str(path), channel]
    assert performance.is_well, performance
    assert summary([performance]).startswith("1 play passed; steps: ")


def test_every_channel_is_played(trial: TrialStack, written: Path, tmp_path: Path) -> None:
    """``--channel all`` leaves none out, and the parameters above neither."""
    assert set(CHANNELS) == set(platforms(tmp_path))
    written.write_text('account = "bartender"\n[[step]]\nsay = "Hello"\nexpect = { matches = "." }\n')
    result = trial.run("play", str(written), "--channel", "all", "--json")
    assert result.exit_code == 0, result.output
    played = json.loads(result.stdout)
    assert {one["channel"] for one in played} == set(CHANNELS)
    assert [outcome["state"] for one in played for outcome in one["outcomes"]] == ["passed"] * len(CHANNELS)


def test_what_fails_is_told_with_what_was_seen_and_the_rest_is_not_played(trial: TrialStack, written: Path) -> None:
    """The line, the expectation, the message that came instead; a conversation without its middle proves nothing."""
    written.write_text(
        'account = "bartender"\n'
        "[[step]]\n"
        'say = "What is a negroni?"\n'
        "[[step]]\n"
        'say = "What is a mojito?"\n'
        "within_s = 1\n"
        'expect = { contains = "motor oil" }\n'
        "[[step]]\n"
        'say = "Thanks"\n'
    )
    result = trial.run("play", str(written))
    assert result.exit_code == 1
    assert "✓ ada: What is a negroni?" in result.output
    assert "line 4: expected, within 1 s, a message that contains 'motor oil'" in result.output
    assert "white rum" in result.output.lower()
    assert "· ada: Thanks" in result.output
    assert "1 of 1 play failed; steps: 1 passed, 1 failed, 1 not played." in result.output


def test_reports_for_programs_say_the_same(trial: TrialStack, written: Path, tmp_path: Path) -> None:
    """JUnit's XML and JSON: one case a step, with its failure."""
    written.write_text(
        'account = "bartender"\n'
        '[[step]]\nsay = "What is a negroni?"\n'
        '[[step]]\nsay = "Hello"\nwithin_s = 0.5\nexpect = { contains = "a \\u0000 never said" }\n'
        '[[step]]\non = ["alexa"]\nsay = "Thanks"\n'
    )
    report = tmp_path / "report.xml"
    result = trial.run("play", str(written), "--channel", "slack", "--junit", str(report), "--json")
    assert result.exit_code == 1
    [performance] = json.loads(result.stdout)
    assert [outcome["state"] for outcome in performance["outcomes"]] == ["passed", "failed", "not_played"]
    assert not performance["is_well"]

    suite = ET.parse(report).getroot()[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("3", "1", "1")
    passed, failed, skipped = suite.findall("testcase")
    assert len(passed) == 0
    failure = failed.find("failure")
    assert failure is not None
    assert "never said" in str(failure.get("message"))
    assert skipped.find("skipped") is not None


def test_faults_redeliveries_silence_and_counts(trial: TrialStack, written: Path) -> None:
    """What an author asks of a platform that misbehaves, in one conversation."""
    written.write_text(
        'account = "bartender"\nchannel = "slack"\nwithin_s = 20\n'
        '[[step]]\nfault = "429"\nseconds = 1\n'
        '[[step]]\nsay = "I have rum and lime"\nrepeat = 2\nexpect = [{ contains = "Daiquiri" }, { messages = 1 }]\n'
        "[[step]]\nwithin_s = 0.5\nexpect = { none = true }\n"
        '[[step]]\nuser = "ben"\nthread = "kitchen"\ngroup = true\nsay = "What is a negroni?"\n'
        'expect = [{ button = "make it" }, { lacks = "Daiquiri" }]\n'
        '[[step]]\nuser = "ben"\nthread = "kitchen"\ngroup = true\ntap = 1\nexpect = { matches = "(?i)campari" }\n'
    )
    result = trial.run("play", str(written))
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(("expect", "problem"), UNMET_EXPECTATIONS.items())
def test_an_expectation_that_does_not_hold_fails(
    performances: dict[tuple[str, str], Performance], expect: str, problem: str
) -> None:
    """Each kind of them: a test kit that cannot fail tests nothing."""
    performance = performances[expect, "webchat"]
    assert not performance.is_well
    [outcome] = performance.outcomes
    assert problem in outcome.problem
    assert outcome.watched, "what came instead"


def test_a_tap_on_what_was_not_shown_fails(trial: TrialStack, written: Path) -> None:
    """Its report names what could have been tapped."""
    written.write_text('account = "bartender"\n[[step]]\nsay = "I have rum and lime"\n[[step]]\ntap = "Champagne"\n')
    result = trial.run("play", str(written))
    assert result.exit_code == 1
    assert "there is no button 'Champagne'; there are: 1 Daiquiri" in result.output


def test_a_wrong_file_is_not_played_and_all_of_it_is_told(trial: TrialStack, written: Path) -> None:
    """Every problem of every file, with status 2."""
    written.write_text('acount = "bartender"\n[[step]]\nsay = "hi"\ntap = 0\n[[step]]\nexpekt = {}\n')
    missing = written.with_name("missing.toml")
    result = trial.run("play", str(written), str(missing))
    assert result.exit_code == 2
    assert "unknown key 'acount', did you mean account?" in result.output
    assert "line 2 (step 1): expected one of say, tap, got 2 of them" in result.output
    assert "line 4 (step 1): tap: expected a button's label or its number from 1 on, got 0" in result.output
    assert "line 6 (step 2): unknown key 'expekt', did you mean expect?" in result.output
    assert f"{missing}: No such file or directory" in result.output
