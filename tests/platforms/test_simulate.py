"""``switchboard simulate``: what a user of each platform sees, by a real gateway, worker, assistant and stand-in."""

from __future__ import annotations

import pytest

from gateway.embedded.addresses import Addresses, keep, kept
from tests.platforms.trial_stack import CHANNELS, TrialStack

DRINK = "Daiquiri"
SAID = "I have rum and lime"


@pytest.mark.parametrize("channel", [channel for channel in CHANNELS if channel != "alexa"])
def test_an_answer_is_seen_and_its_buttons_can_be_tapped_by_a_later_command(
    trial: TrialStack, guest: str, channel: str
) -> None:
    """By number and by label, each in a run of its own: what was shown outlives the command."""
    first = trial.simulate(channel, "bartender", SAID, "--user", guest)
    assert [told.status for told in first.deliveries] in ([200], [202])
    [answer] = [seen for seen in first.seen if seen.kind == "message"]
    assert DRINK in answer.controls
    assert answer.late

    second = trial.simulate(channel, "bartender", "--user", guest, "--tap", str(answer.controls.index(DRINK) + 1))
    assert DRINK in second.seen[-1].text
    third = trial.simulate(channel, "bartender", "--user", guest, "--tap", "make IT")
    assert "lime juice" in third.seen[-1].text


def test_a_command_is_answered_in_its_response_and_its_buttons_work(trial: TrialStack, guest: str) -> None:
    """What came in a response is kept for the next command as what was posted is."""
    [answer] = trial.simulate("slack", "bartender", f"/bartender {SAID}", "--user", guest).seen
    assert DRINK in answer.controls
    assert not answer.late
    assert "only you can see this" in answer.notes

    tapped = trial.simulate("slack", "bartender", "--user", guest, "--tap", DRINK)
    assert tapped.seen[-1].late
    assert DRINK in tapped.seen[-1].text


def test_a_late_answer_of_a_command_is_waited_for(trial: TrialStack, guest: str) -> None:
    """The response is empty, as Slack wants it after its three seconds; the answer comes by the response URL."""
    run = trial.simulate("slack", "bartender", "/bartender invent one for me", "--user", guest)
    assert [told.body for told in run.deliveries] == [""]
    [answer] = run.seen
    assert answer.late
    assert "never made before" in answer.text


@pytest.mark.parametrize("channel", CHANNELS)
def test_a_redelivery_changes_nothing(trial: TrialStack, guest: str, channel: str) -> None:
    """Three deliveries are accepted, and one answer is seen; a device that waits for it gets the same each time."""
    run = trial.simulate(channel, "bartender", SAID, "--user", guest, "--repeat", "2")
    assert len(run.deliveries) == 3
    assert all(200 <= told.status < 300 for told in run.deliveries)
    answers = [seen.text for seen in run.seen if seen.kind == "message"]
    assert len(answers) == (3 if channel == "alexa" else 1)
    assert len(set(answers)) == 1


def test_who_has_no_buttons_is_told_to_say_it(trial: TrialStack) -> None:
    """A voice."""
    result = trial.run("simulate", "alexa", "bartender", "--tap", "1")
    assert result.exit_code == 2
    assert "there are no buttons on alexa: say what stands on it" in result.output


def test_twins_are_one_message(trial: TrialStack, guest: str) -> None:
    """Slack tells a mention twice; an account's thread keeps it apart from others' in the channel."""
    place = ("--user", guest, "--group", "--thread", guest)
    run = trial.simulate("slack", "bartender", SAID, *place, "--twin")
    assert len(run.deliveries) == 2
    assert len(run.seen) == 1
    assert trial.run("simulate", "slack", "bartender", SAID, "--user", guest, "--twin").exit_code == 2


def test_messages_out_of_order_are_answered_in_the_order_of_their_arrival(trial: TrialStack, guest: str) -> None:
    """Nobody guesses what was meant to come first."""
    texts = ("What is a negroni?", "What is a mojito?")
    run = trial.simulate("slack", "bartender", *texts, "--user", guest, "--out-of-order")
    assert [told.what.partition(": ")[2] for told in run.deliveries] == list(reversed(texts))
    assert ["Mojito" in seen.text for seen in run.seen] == [True, False]


@pytest.mark.parametrize("fault", ["429", "slow"])
def test_a_fault_that_the_gateway_gets_over_is_seen_as_a_delay(trial: TrialStack, guest: str, fault: str) -> None:
    """The message is shown once, as late as the platform made it."""
    run = trial.simulate("slack", "bartender", SAID, "--user", guest, "--fault", fault)
    assert len(run.seen) == 1
    assert trial.simulate("slack", "bartender", SAID, "--user", guest).seen, "one fault is one message's"


def test_a_message_that_may_have_been_shown_is_not_sent_again(trial: TrialStack, guest: str) -> None:
    """A cut connection: Slack showed it and nobody knows.  A fault of Slack's own: it showed nothing."""
    result = trial.run("simulate", "slack", "bartender", SAID, "--user", guest, "--fault", "cut", "--quiet", "0.4")
    assert result.output.startswith("(a message that meets cut is shown, but the gateway cannot know it: not sent ")
    assert result.output.count("bartender, after ") == 1
    lost = trial.simulate("slack", "bartender", SAID, "--user", guest, "--fault", "500", "--wait", "2", status=1)
    assert lost.seen == []


def test_a_fault_that_no_message_met_is_taken_back(trial: TrialStack, guest: str) -> None:
    """It would meet the next command's."""
    given = ("simulate", "slack", "bartender", "--user", guest, "--quiet", "0.4")
    answered = trial.run(*given, f"/bartender {SAID}", "--fault", "500", "--fault-count", "2")
    assert answered.exit_code == 0
    assert "The fault met no message 2 times, and is taken back." in answered.stderr
    assert trial.simulate("slack", "bartender", SAID, "--user", guest).seen


def test_nothing_that_an_assistant_wrote_is_obeyed_by_the_terminal(trial: TrialStack, guest: str) -> None:
    """Nor what a user wrote: who reads it here may have copied it from somewhere."""
    result = trial.run("simulate", "webchat", "bartender", "\x1b[31mred", "--user", guest)
    assert result.exit_code == 0
    assert "\x1b" not in result.output


def test_a_person_reads_who_said_what_and_what_can_be_tapped(trial: TrialStack, guest: str) -> None:
    """The table for people: the delivery, the answer, numbered buttons."""
    result = trial.run("simulate", "slack", "bartender", SAID, "--user", guest, "--quiet", "0.4")
    assert result.exit_code == 0
    assert result.output.startswith(f"{guest}: {SAID}\n  (200 in ")
    assert "bartender, after " in result.output
    assert "[1] Daiquiri\n" in result.output


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("slak", "bartender", "hi"), "there is no channel 'slak', did you mean slack?"),
        (("slack", "bartendr", "hi"), "there is no account 'bartendr' on slack; expected one of bartender"),
        (("slack", "bartender"), "expected a TEXT, or --tap"),
        (("slack", "bartender", "hi", "--tap", "1"), "expected a TEXT, or --tap"),
        (("slack", "bartender", "hi", "--out-of-order"), "two TEXTs"),
        (("slack", "bartender", "--tap", "1", "--user", "nobody"), "nothing with buttons has been shown"),
        (("webchat", "bartender", "hi", "--fault", "429"), "--fault: webchat is sent no messages that could meet one"),
        (("alexa", "bartender", "hi", "--fault", "429"), "could meet one; it is for slack, telegram"),
        (("alexa", "bartender", "hi", "--group"), "--group: alexa has no rooms with others; it is for slack, telegram"),
        (("telegram", "bartender", "hi", "--twin"), "--twin: telegram tells no message twice; it is for slack"),
        (("slack", "bartender", "hi", "--twin", "--fault", "429"), "--twin: slack tells twice only what is said in a"),
        (("slack", "bartender", "hi", "--fault-count", "2"), "--fault-count wants --fault"),
        (("slack", "bartender", " "), "expected a text, got an empty one"),
        (("slack", "bartender", "\udcff"), "expected a text in UTF-8"),
        (("slack", "bartender", "--tap", "1" * 5_000, "--user", "nobody"), "nothing with buttons has been shown"),
        (("slack", "bartender", "hi", "--gateway", "localhost:8080"), "expected an address such as http://"),
        (("slack", "bartender", "hi", "--gateway", "http://127.0.0.1:99999"), "expected an address such as http://"),
        (("slack", "bartender", "hi", "--gateway", "http://127.0.0.1:9"), "start `switchboard up`"),
    ],
)
def test_a_failure_says_what_to_do(trial: TrialStack, arguments: tuple[str, ...], problem: str) -> None:
    """One line, and no traceback; 2 for an argument that is wrong whatever runs, 1 for what is not there now."""
    result = trial.run("simulate", *arguments)
    assert result.exit_code == (1 if "nobody" in arguments or "http://127.0.0.1:9" in arguments else 2)
    assert problem in result.output
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_a_button_that_is_not_there_is_answered_by_those_that_are(trial: TrialStack, guest: str) -> None:
    """The numbers and labels of the last message."""
    trial.simulate("slack", "bartender", SAID, "--user", guest)
    result = trial.run("simulate", "slack", "bartender", "--user", guest, "--tap", "Champagne")
    assert result.exit_code == 1
    assert "there is no button 'Champagne'; there are: 1 Daiquiri, 2 " in result.output


def test_where_replies_go_to_the_real_platform_only_the_response_is_shown(trial: TrialStack, guest: str) -> None:
    """It is said, and nothing is waited for."""
    elsewhere = {"SWITCHBOARD_ACCOUNTS__SLACK__BARTENDER__API_BASE_URL": "https://slack.example/api"}
    result = trial.run("simulate", "slack", "bartender", f"/bartender {SAID}", "--user", guest, **elsewhere)
    assert result.exit_code == 0
    assert DRINK in result.output
    assert "Replies go to https://slack.example/api, which is not the stand-in" in result.output


def test_a_stand_in_that_is_gone_is_named(trial: TrialStack) -> None:
    """Which of the two does not answer, and what it belongs to."""
    there = kept(trial.home)
    assert there is not None
    keep(trial.home, Addresses(there.gateway, "http://127.0.0.1:9"))
    try:
        result = trial.run("simulate", "slack", "bartender", "hi")
    finally:
        keep(trial.home, there)
    assert result.exit_code == 1
    assert "http://127.0.0.1:9 does not answer: Connection refused; it is the platforms' stand-in" in result.output


def test_without_a_secret_there_is_nothing_to_prove_a_delivery_by(trial: TrialStack) -> None:
    """The setting is named."""
    empty = {"SWITCHBOARD_ACCOUNTS__SLACK__BARTENDER__SIGNING_SECRETS": "env:NO_SECRET", "NO_SECRET": " "}
    result = trial.run("simulate", "slack", "bartender", "hi", **empty)
    assert result.exit_code == 1
    assert "signing_secrets" in result.output


def test_where_nothing_runs_it_says_so(trial: TrialStack) -> None:
    """Another home: one line, without all that is missing in it."""
    result = trial.run("simulate", "slack", "bartender", "hi", SWITCHBOARD_HOME=str(trial.home.root / "other"))
    assert result.exit_code == 1
    assert result.output.startswith("Error: nothing runs in SWITCHBOARD_HOME")
    assert len(result.output.splitlines()) == 1
    named = ("--gateway", "http://127.0.0.1:9")
    told = trial.run("simulate", "slack", "bartender", "hi", *named, SWITCHBOARD_HOME=str(trial.home.root / "other"))
    assert "or set SWITCHBOARD_HOME" in told.output
    assert "--gateway alone is not enough" in told.output
