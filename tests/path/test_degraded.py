"""What a platform cannot show is said in its words, and the turn says what was lost."""

from __future__ import annotations

from gateway.domain.reply import Audio, Reply, Text
from tests.support.assistant import says
from tests.support.stack import Stack, word


def test_a_turn_records_what_its_channel_could_not_show(stack: Stack) -> None:
    """Slack plays no audio: the user reads the transcript, and the ledger has a line about it."""
    said = word()
    audio = Audio("https://example.test/a.mp3", transcript=f"what one hears, {said}")
    stack.assistant.will(said, says(Reply((audio,))))
    stack.slack.event(said, channel="G1").send(stack.port)

    [post] = stack.slack.wait_for(said)
    assert f"what one hears, {said}" in post.json["text"]
    [turn] = stack.ledger.wait_settled(said)
    assert turn["degraded"] == ["audio: shown as its transcript"]


def test_a_turn_that_lost_nothing_records_nothing(stack: Stack) -> None:
    said = word()
    stack.assistant.will(said, says(Reply((Text(f"plain words, {said}"),))))
    stack.slack.event(said, channel="G2").send(stack.port)

    [turn] = stack.ledger.wait_settled(said)
    assert turn["degraded"] is None
