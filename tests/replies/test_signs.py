"""Signs of life of turns that run: Telegram's, over real HTTP, many times faster than in the product."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
import pytest

from gateway.channels.bots import Bot
from gateway.channels.telegram import TelegramChannel
from gateway.channels.telegram.surfaces import MESSAGE, SURFACES
from gateway.domain.capabilities import Capabilities
from gateway.replies.platform_client import RpcPlatformClient
from gateway.replies.signs import SignsOfLife
from gateway.rpc.client import RpcClient
from gateway.settings.accounts import TelegramAccount
from gateway.settings.rpc import RpcSettings
from gateway.settings.secret import Secret
from tests.lanes.lane_bench import turn
from tests.support.stand_in import Hold, StandIn, status
from tests.support.telegram_platform import TELEGRAM_TOKEN, TelegramPlatform
from tests.support.waiting import until

TURN = msgspec.structs.replace(
    turn(1), surface=MESSAGE, address={"chat_id": "-5", "thread_id": "7", "reply_to": "1"}
)


class Quick(TelegramChannel):
    """Telegram, where a sign of life lasts no time at all."""

    every_s: float | None = 0.02

    @property
    def surfaces(self) -> Mapping[str, Capabilities]:
        return {MESSAGE: msgspec.structs.replace(SURFACES[MESSAGE], alive_every_s=self.every_s)}


@pytest.fixture
def platform() -> Iterator[TelegramPlatform]:
    with TelegramPlatform() as standing_in:
        yield standing_in


@pytest.fixture
def signs() -> SignsOfLife:
    return SignsOfLife(RpcPlatformClient(RpcClient(RpcSettings())))


def bot(platform: StandIn, *, every_s: float | None = 0.02, typing: bool = True) -> Bot:
    channel = Quick()
    channel.every_s = every_s
    account = TelegramAccount(
        channel="telegram",
        name="shop",
        assistant="shop",
        bot_token=Secret(TELEGRAM_TOKEN),
        api_base_url=platform.origin,
        typing=typing,
    )
    return Bot(channel, account)


def test_a_turn_that_runs_shows_typing_again_and_again_until_it_ends(
    signs: SignsOfLife, platform: TelegramPlatform
) -> None:
    stop = signs.keep_up(bot(platform), TURN)
    until("three signs", lambda: len(platform.calls) >= 3)
    stop()
    until("their end", lambda: len(signs) == 0)
    given = len(platform.calls)

    assert {call.path for call in platform.calls} == {f"/bot{TELEGRAM_TOKEN}/sendChatAction"}
    assert platform.calls[0].json == {"chat_id": -5, "message_thread_id": 7, "action": "typing"}
    other = signs.keep_up(bot(platform), msgspec.structs.replace(TURN, address={"chat_id": "9"}))
    until("another's", lambda: platform.calls[-1].json["chat_id"] == 9)
    other()
    assert [call.json["chat_id"] for call in platform.calls].count(-5) == given, "what was stopped gives none"


def test_a_turn_that_ends_soon_gives_none(signs: SignsOfLife, platform: TelegramPlatform) -> None:
    signs.keep_up(bot(platform, every_s=60.0), TURN)()
    until("its end", lambda: len(signs) == 0)
    assert platform.calls == []


def test_what_is_refused_is_not_repeated(signs: SignsOfLife, platform: TelegramPlatform) -> None:
    """Of a chat that is not there any more, or of a platform that has enough of us."""
    platform.usually(status("429 Too Many Requests"))
    signs.keep_up(bot(platform), TURN)
    until("its end", lambda: len(signs) == 0)
    assert len(platform.calls) == 1


def test_one_that_hangs_holds_up_nobody(signs: SignsOfLife, platform: TelegramPlatform) -> None:
    """Whoever ends the turn does not wait for it."""
    hold = Hold(status("200 OK"))
    platform.usually(hold)
    stop = signs.keep_up(bot(platform), TURN)
    hold.wait_reached()
    stop()
    hold.wait_gone()
    until("its end", lambda: len(signs) == 0)


@pytest.mark.parametrize(("every_s", "typing"), [(None, True), (0.02, False)])
def test_what_has_no_such_sign_gives_none(
    signs: SignsOfLife, platform: TelegramPlatform, every_s: float | None, typing: bool
) -> None:
    """A surface without one costs nothing at all; an account may have turned it off."""
    signs.keep_up(bot(platform, every_s=every_s, typing=typing), TURN)
    assert len(signs) == (0 if every_s is None else 1)
    until("its end", lambda: len(signs) == 0)
    assert platform.calls == []
