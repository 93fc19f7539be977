"""Telegram's secret token: who knows it is Telegram, and nobody else is."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.errors import Unauthentic
from gateway.settings.accounts import TelegramAccount
from gateway.settings.secret import Secret
from tests.channels.telegram.updates import ACCOUNT, NOW_S, SECRET, TELEGRAM, delivery, update


def account(*secrets: str) -> TelegramAccount:
    return msgspec.structs.replace(ACCOUNT, secret_tokens=tuple(map(Secret, secrets)))


def refusal(given_secret: str, by: TelegramAccount = ACCOUNT) -> str:
    with pytest.raises(Unauthentic) as caught:
        TELEGRAM.verify(delivery(update(text="hi"), secret=given_secret), by, NOW_S)
    assert SECRET not in str(caught.value)
    assert len(given_secret) < 8 or given_secret not in str(caught.value)
    return caught.value.reason


def test_who_knows_the_secret_is_telegram() -> None:
    TELEGRAM.verify(delivery(update(text="hi")), ACCOUNT, NOW_S)


@given(st.text(st.characters(), max_size=40).filter(lambda text: text != SECRET))
def test_any_other_token_is_refused_and_no_error(given_secret: str) -> None:
    """compare_digest raises on text beyond ASCII, which must not become a 500."""
    assert refusal(given_secret) == "bad_secret_token"


@pytest.mark.parametrize(
    "given_secret", ["", SECRET[:-1], SECRET + "x", SECRET.upper(), f" {SECRET}", "é", "\ud800"]
)
def test_nearly_the_secret_is_not_the_secret(given_secret: str) -> None:
    assert refusal(given_secret) == "bad_secret_token"


def test_without_the_header_nothing_is_authentic() -> None:
    bare = msgspec.structs.replace(delivery(update(text="hi")), headers={})
    with pytest.raises(Unauthentic):
        TELEGRAM.verify(bare, ACCOUNT, NOW_S)


def test_both_live_secrets_are_accepted_and_a_retired_one_is_not() -> None:
    request = delivery(update(text="hi"))
    TELEGRAM.verify(request, account("new", SECRET), NOW_S)
    TELEGRAM.verify(request, account(SECRET, "old"), NOW_S)
    assert refusal(SECRET, account("new")) == "bad_secret_token"


@pytest.mark.parametrize("secrets", [(), ("",), (" ", "\n")])
def test_without_a_secret_nothing_is_authentic(secrets: tuple[str, ...]) -> None:
    """An empty secret would let anybody in who sends no header."""
    for given_secret in ("", " ", SECRET):
        assert refusal(given_secret, account(*secrets)) == "no_secret"
