"""``switchboard play``: what goes wrong before a play and in its middle, and that two performances never meet."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.cli.trials import Trials
from gateway.platforms.calls import NotThere
from gateway.platforms.plays.performance import Outcome, perform
from gateway.platforms.plays.script import read_play
from gateway.platforms.trial import Trial
from tests.platforms.trial_stack import TrialStack


@pytest.fixture
def written(tmp_path: Path) -> Path:
    return tmp_path / "some.toml"


@pytest.fixture
def telegram(trial: TrialStack, monkeypatch: pytest.MonkeyPatch) -> Trial:
    """The Bartender on Telegram, in a trial of the test's own."""
    for name, value in trial.env.items():
        monkeypatch.delenv(name, raising=False) if value is None else monkeypatch.setenv(name, value)
    return Trials().trial("telegram", "bartender")


def test_a_report_that_cannot_be_written_is_told_before_anything_is_played(trial: TrialStack, written: Path) -> None:
    """Not after minutes, with a traceback and nothing to show for them."""
    written.write_text('account = "bartender"\n[[step]]\nsay = "Hello"\n')
    result = trial.run("play", str(written), "--junit", str(written.parent / "none" / "report.xml"))
    assert result.exit_code == 2
    assert "--junit: nothing can be written into" in result.output
    assert "Hello" not in result.output


def test_every_account_is_found_before_anything_is_played(trial: TrialStack, written: Path) -> None:
    """Of two plays the second is for an account that is not there."""
    wrong = written.with_name("wrong.toml")
    written.write_text('account = "bartender"\n[[step]]\nsay = "Hello"\n')
    wrong.write_text('account = "bartendr"\n[[step]]\nsay = "Hello"\n')
    result = trial.run("play", str(written), str(wrong))
    assert result.exit_code == 2
    assert "there is no account 'bartendr' on webchat" in result.output
    assert "✓" not in result.output


def test_all_that_is_missing_is_told_and_of_what_came_nearest_only_that(trial: TrialStack, written: Path) -> None:
    """An author sees at once which half of an expectation was wrong, and how many messages came."""
    written.write_text(
        'account = "bartender"\n[[step]]\nsay = "What is a negroni?"\nwithin_s = 0.3\n'
        'expect = [{ contains = "Campari", button = "Champagne" }, { contains = "motor oil" }]\n'
    )
    [told] = json.loads(trial.run("play", str(written), "--json").stdout)
    assert told["outcomes"][0]["problem"].splitlines() == [
        (
            "expected, within 0.3 s, a message that contains 'Campari' and has a button 'Champagne'; "
            "what came nearest lacks a button 'Champagne'"
        ),
        "expected, within 0.3 s, a message that contains 'motor oil'",
    ]
    written.write_text('account = "bartender"\n[[step]]\nsay = "Hello"\nexpect = { messages = 2 }\n')
    result = trial.run("play", str(written), "--channel", "alexa")
    assert "line 2: expected 2 messages in all, got 1" in result.output


def test_what_a_channel_has_not_is_done_without_it_and_noted(trial: TrialStack, written: Path) -> None:
    """A room with others, a twin, a fault: the play goes on, and nobody takes them for tried."""
    written.write_text(
        'account = "bartender"\n[[step]]\nfault = "429"\n[[step]]\ngroup = true\ntwin = true\nsay = "Hello"\n'
    )
    result = trial.run("play", str(written), "--channel", "alexa")
    assert result.exit_code == 0, result.output
    assert "no message on alexa can meet one" in result.output
    assert "(no rooms with others on alexa: said between the two of them)" in result.output
    assert "(no twins on alexa: delivered once)" in result.output


def test_who_wants_no_colours_is_shown_none(trial: TrialStack, written: Path) -> None:
    """NO_COLOR, whatever it says."""
    written.write_text('account = "bartender"\n[[step]]\nsay = "Hello"\n')
    shown = [
        CliRunner().invoke(main, ["play", str(written)], env={**trial.env, "NO_COLOR": wish}, color=True).output
        for wish in ("", "1")
    ]
    assert ["\x1b[32m✓" in text for text in shown] == [True, False]
    assert "\x1b" not in shown[1]


def test_performances_at_the_same_time_do_not_meet(telegram: Trial) -> None:
    """In a room with others, whose name is the same in both: one hears nothing of what is said in the other's."""
    said = '[[step]]\ngroup = true\nsay = "Hello"\n'
    silence = "[[step]]\ngroup = true\nwithin_s = 0.3\nexpect = { none = true }\n"
    listening = perform(read_play("listening", said + silence), telegram, "one")
    outcomes = [next(listening), *perform(read_play("speaking", said), telegram, "two"), *listening]
    assert [outcome.state for outcome in outcomes] == ["passed"] * 3, outcomes


def test_who_goes_away_in_the_middle_fails_the_step(telegram: Trial) -> None:
    """A report is written all the same; a gateway that was never there is no play's fault, and ends everything."""
    play = read_play("some", '[[step]]\nsay = "Hello"\n[[step]]\nsay = "Again"\n')
    performing = perform(play, telegram, "four")
    outcomes: list[Outcome] = [next(performing)]
    telegram.gateway = "http://127.0.0.1:9"
    outcomes += performing
    with pytest.raises(NotThere):
        next(perform(play, telegram, "five"))
    assert [outcome.state for outcome in outcomes] == ["passed", "failed"]
    assert "http://127.0.0.1:9 does not answer: Connection refused" in outcomes[1].problem
