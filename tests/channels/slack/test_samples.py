"""Sample deliveries as Slack sends them, each with what it says to us: one file, input and golden output."""

from __future__ import annotations

import msgspec
import pytest

from gateway.channels.base import Immediate, Messages
from gateway.channels.registry import CHANNELS
from gateway.domain.message import Inbound
from tests.channels.slack.deliveries import ACCOUNT, NOW_S, SAMPLES, delivery, sample

SLACK = CHANNELS["slack"]
NAMES = sorted(path.stem for path in SAMPLES.glob("*.json"))


@pytest.mark.parametrize("name", NAMES)
def test_sample_says_what_its_file_says(name: str) -> None:
    """The delivery passes ``verify`` and ``parse`` makes exactly the messages that are written beside it."""
    value = sample(name)
    request = delivery(value)

    SLACK.verify(request, ACCOUNT, NOW_S)
    parsed = SLACK.parse(request, ACCOUNT, NOW_S)

    if isinstance(parsed, Immediate):
        said = {"status": parsed.response.status, "body": parsed.response.body.decode()}
        assert said == value["expected"]
    else:
        assert parsed.inbound == msgspec.convert(value["expected"], tuple[Inbound, ...])


def test_what_slack_holds_back_is_counted() -> None:
    """Above 30,000 events an hour Slack says so, once a minute, and the messages never come."""
    parsed = SLACK.parse(delivery(sample("handshake_app_rate_limited")), ACCOUNT, NOW_S)

    assert isinstance(parsed, Immediate)
    assert parsed.refused == "app_rate_limited"


def test_every_surface_and_every_silence_has_a_sample() -> None:
    """The samples cover what the capability table names, and all that is understood but not for us."""
    said = [sample(name)["expected"] for name in NAMES]
    surfaces = {message["surface"] for expected in said if isinstance(expected, list) for message in expected}

    assert surfaces == set(SLACK.surfaces)
    assert all(sample(name)["expected"] == [] for name in NAMES if name.startswith("ignored_"))
    assert sum(name.startswith("ignored_") for name in NAMES) >= 12


def test_twins_share_a_key_and_read_the_same() -> None:
    """``message`` and ``app_mention`` of one text differ in their event ids and in nothing else."""
    twins = [
        SLACK.parse(delivery(sample(name)), ACCOUNT, NOW_S)
        for name in ("event_message_channel_mention", "event_app_mention")
    ]
    first, second = (twin.inbound[0] for twin in twins if isinstance(twin, Messages))

    assert set(first.dedupe_keys) & set(second.dedupe_keys)
    assert first.dedupe_keys[0] != second.dedupe_keys[0]
    assert msgspec.structs.replace(first, dedupe_keys=()) == msgspec.structs.replace(second, dedupe_keys=())
