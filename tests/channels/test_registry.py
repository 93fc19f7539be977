"""What holds for every channel: its table is whole, and it is closed to whoever proves nothing."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import json

from gateway.channels.registry import CHANNELS
from gateway.domain.errors import TryLater, Unauthentic
from gateway.domain.http import Request
from gateway.domain.reply import Reply
from gateway.platforms.base import Say, Scene
from gateway.platforms.registry import platforms
from gateway.settings.accounts import ACCOUNT_TYPES, Account, KeepingAccount
from gateway.settings.secret import Secret
from tests.channels.strategies import replies

ADDRESS = {"channel": "C1", "team": "T1", "visitor": "v", "chat": "main", "id": "12345678", "chat_id": "1"}
NAMES = sorted(CHANNELS)


def test_every_account_type_has_its_channel() -> None:
    """``[accounts.<channel>.<name>]`` and ``/hooks/<channel>/<name>`` know the same words."""
    assert set(CHANNELS) == set(ACCOUNT_TYPES)
    assert all(name == channel.name for name, channel in CHANNELS.items())


@pytest.mark.parametrize("name", NAMES)
def test_an_account_without_secrets_lets_nobody_in(name: str) -> None:
    """Fail closed: a forgotten setting is a refusal, never an open door."""
    account = ACCOUNT_TYPES[name](channel=name, name="bartender", assistant="bartender")
    headers = {
        "content-type": "application/json",
        "x-slack-request-timestamp": "1",
        "cookie": "switchboard_bartender=x",
    }

    with pytest.raises(Unauthentic) as caught:
        CHANNELS[name].verify(Request("POST", f"/hooks/{name}/bartender", "", headers, b"{}"), account, 1.0)

    assert caught.value.reason == "no_secret"


@pytest.mark.parametrize("name", NAMES)
def test_the_table_of_every_surface_is_consistent(name: str) -> None:
    """An answer leaves before nobody wants it, there are words, and controls come with a number."""
    for surface, table in CHANNELS[name].surfaces.items():
        assert 0 < table.answer_by_s < table.turn_deadline_s, surface
        assert (table.buttons_max > 0) == ("buttons" in table.shows)
        if table.shows:
            assert "text" in table.shows or "speech" in table.shows
            assert table.late != "none" or table.answers_in_response
        else:
            # Nobody listens: there is no way to answer, and none is promised.
            assert (table.late, table.answers_in_response) == ("none", False)
        if table.late == "next_turn":
            assert table.answers_in_response, "what is kept is told in a response"
            assert issubclass(ACCOUNT_TYPES[name], KeepingAccount)
        assert table.text_chars_max > 0
        assert table.dedupe_days * 86_400 > table.turn_deadline_s


@pytest.mark.parametrize("name", NAMES)
def test_a_refusal_fits_what_the_platform_does_with_it(name: str) -> None:
    """503 with Retry-After where somebody sends again, a 200 only where nobody does."""
    channel = CHANNELS[name]
    account = ACCOUNT_TYPES[name](channel=name, name="bartender", assistant="bartender")
    error = TryLater("the ledger is away", reason="postgres", retry_after_s=1.5)

    for surface, table in channel.surfaces.items():
        response = channel.refuse(surface, account, error)
        if response.status == 503:
            assert ("Retry-After", "2") in response.headers
        else:
            assert (response.status, table.redelivery) == (200, "gives_up")
    assert channel.refuse(None, account, error).status == 503


@given(st.sampled_from(NAMES), replies, st.data())
def test_rendering_is_a_function_of_its_arguments(name: str, reply: Reply, data: st.DataObject) -> None:
    """The same reply is the same payload again (a duplicate gets the same answer), and JSON can keep it."""
    channel = CHANNELS[name]
    account = ACCOUNT_TYPES[name](channel=name, name="bartender", assistant="bartender")
    surface = data.draw(st.sampled_from(sorted(channel.surfaces)))

    once = channel.render(reply, surface, dict(ADDRESS), account)
    again = channel.render(reply, surface, dict(ADDRESS), account)

    assert once == again
    assert json.decode(json.encode(once.payloads)) is not None


def _proved(one: Account) -> Account:
    """Return *one* with secrets of its own, whatever its channel calls them."""
    fields = ("signing_secrets", "secret_tokens", "cookie_secrets")
    own = {name: (Secret(f"{name}-of-{one.name}"),) for name in fields if hasattr(one, name)}
    return msgspec.structs.replace(one, **own)


@pytest.mark.parametrize("name", ["slack", "telegram", "webchat"])
def test_what_proves_a_delivery_to_one_account_opens_no_other(name: str, tmp_path: Path) -> None:
    """Law: each account has its own secrets.  Alexa proves that it is Alexa; whose skill it is, its own tests ask."""
    of = ACCOUNT_TYPES[name]
    ours, other = (_proved(of(channel=name, name=one, assistant="any")) for one in ("ours", "other"))
    platform, scene = platforms(tmp_path)[name], Scene(at_s=1_700_000_000.0, number=1)
    delivery = platform.signed(other, platform.deliver(other, scene, Say("hello")), at_s=scene.at_s)
    headers = {key.lower(): value for key, value in delivery.headers.items()}
    # As whoever has it would try: under every name that the other account's proof could go by here.
    headers["cookie"] = f"{headers.get('cookie', '')}; {headers.get('cookie', '').replace('_other', '_ours')}"
    call = Request("POST", f"/hooks/{name}/ours", "", headers, delivery.body)

    CHANNELS[name].verify(call, other, scene.at_s)
    with pytest.raises(Unauthentic):
        CHANNELS[name].verify(call, ours, scene.at_s)
