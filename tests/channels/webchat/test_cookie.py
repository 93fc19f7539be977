"""The visitor's cookie: only what we issued, for this account, in its time, is a visitor."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.webchat.cookie import issue, visitor
from gateway.domain.errors import Unauthentic
from gateway.settings.accounts import WebchatAccount
from gateway.settings.secret import Secret
from tests.channels.webchat.visitors import ACCOUNT, NOW_S, VISITOR, cookie, post

DAY_S = 86_400


def account(*secrets: str, name: str = "bartender", secure: bool = False) -> WebchatAccount:
    return msgspec.structs.replace(
        ACCOUNT, cookie_secrets=tuple(map(Secret, secrets)), name=name, cookie_secure=secure
    )


def refusal(header: str, by: WebchatAccount = ACCOUNT, now_s: float = NOW_S) -> str:
    with pytest.raises(Unauthentic) as caught:
        visitor(post({}, cookie=header), by, now_s)
    return caught.value.reason


@given(st.from_regex(r"[A-Za-z0-9_-]{22,64}", fullmatch=True), st.integers(0, 170))
def test_what_was_issued_is_recognised(visitor_id: str, days: int) -> None:
    request = post({}, cookie=f"theme=dark; {cookie(visitor_id)}; other=1")

    assert visitor(request, ACCOUNT, NOW_S + days * DAY_S) == visitor_id


def test_the_cookie_is_out_of_reach_for_scripts_and_other_sites() -> None:
    attributes = issue(VISITOR, ACCOUNT, NOW_S).split("; ")[1:]

    assert attributes == ["Max-Age=15552000", "Path=/", "HttpOnly", "SameSite=Lax"]
    assert issue(VISITOR, account("s", secure=True), NOW_S).endswith("; Secure")


@given(st.data())
def test_one_changed_character_is_refused(data: st.DataObject) -> None:
    name, _, value = cookie().partition("=")
    at = data.draw(st.integers(0, len(value) - 1))
    other = data.draw(st.characters(min_codepoint=33, max_codepoint=126, exclude_characters=f"{value[at]};"))

    assert refusal(f"{name}={value[:at]}{other}{value[at + 1 :]}") == "no_visitor"


@given(st.text(max_size=120))
def test_any_header_is_a_visitor_or_a_refusal(header: str) -> None:
    assert refusal(header) == "no_visitor"
    assert refusal(f"switchboard_bartender={header}") == "no_visitor"


def test_a_cookie_is_good_for_its_own_account_only() -> None:
    """Two accounts may share a secret; a visitor of one is a stranger to the other all the same."""
    other = msgspec.structs.replace(ACCOUNT, name="tasted")

    assert refusal(cookie().replace("switchboard_bartender", "switchboard_tasted"), other) == "no_visitor"
    assert visitor(post({}, cookie=cookie(account=other)), other, NOW_S) == VISITOR


def test_both_live_secrets_prove_and_the_first_one_signs() -> None:
    old = cookie(account=account("old"))

    assert visitor(post({}, cookie=old), account("new", "old"), NOW_S) == VISITOR
    assert refusal(old, account("new")) == "no_visitor"
    assert refusal(cookie(account=account("new", "old")), account("old")) == "no_visitor"


@pytest.mark.parametrize("secrets", [(), ("",), (" ",)])
def test_without_a_secret_nobody_is_let_in_or_invited(secrets: tuple[str, ...]) -> None:
    assert refusal(cookie(), account(*secrets)) == "no_secret"
    with pytest.raises(Unauthentic):
        issue(VISITOR, account(*secrets), NOW_S)


def test_a_cookie_from_the_future_or_the_far_past_is_refused() -> None:
    assert refusal(cookie(at_s=NOW_S - 181 * DAY_S)) == "no_visitor"
    assert refusal(cookie(at_s=NOW_S + 400)) == "no_visitor"
    assert visitor(post({}, cookie=cookie(at_s=NOW_S + 200)), ACCOUNT, NOW_S) == VISITOR


def test_a_planted_cookie_in_front_does_not_lock_the_visitor_out() -> None:
    """A sibling host can plant one of the same name: the good one behind it still counts."""
    planted = "switchboard_bartender=planted"

    assert visitor(post({}, cookie=f"{planted}; {cookie()}"), ACCOUNT, NOW_S) == VISITOR


def test_the_number_of_candidates_is_bounded() -> None:
    """A header full of forgeries must not buy a signature each."""
    assert refusal("; ".join(["switchboard_bartender=x"] * 4 + [cookie()])) == "no_visitor"


@pytest.mark.parametrize("visitor_id", ["", "short", "x" * 65, "with.dots.in.it.of.length.22", "a b" * 10])
def test_a_visitor_id_that_could_be_guessed_or_misread_is_not_issued(visitor_id: str) -> None:
    with pytest.raises(ValueError, match="22 to 64"):
        issue(visitor_id, ACCOUNT, NOW_S)
