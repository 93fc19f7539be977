"""Slack's signature, with slack_sdk as the other side: what it signs we accept, what it rejects we reject."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from slack_sdk.signature import Clock, SignatureVerifier

from gateway.channels.slack.verify import verify
from gateway.domain.errors import Unauthentic
from gateway.domain.http import Request
from gateway.settings.accounts import SlackAccount
from gateway.settings.secret import Secret
from tests.channels.slack.deliveries import ACCOUNT, NOW_S, SECRET, signed

BODY = '{"type":"event_callback","text":"Grüße 🍸"}'.encode()


class FixedClock(Clock):  # type: ignore[misc]
    """slack_sdk's clock, stopped."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def now(self) -> float:
        return self.now_s


def account(*secrets: str) -> SlackAccount:
    return msgspec.structs.replace(ACCOUNT, signing_secrets=tuple(map(Secret, secrets)))


def with_headers(request: Request, **headers: str) -> Request:
    changed = {name.replace("_", "-"): value for name, value in headers.items()}
    return msgspec.structs.replace(request, headers={**request.headers, **changed})


def refusal(request: Request, by: SlackAccount = ACCOUNT, now_s: float = NOW_S) -> str:
    """Return the reason for which *request* is refused."""
    with pytest.raises(Unauthentic) as caught:
        verify(request, by, now_s)
    return caught.value.reason


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_what_slack_signs_is_accepted(text: str) -> None:
    """Any body that slack_sdk can sign, multi-byte ones included."""
    verify(signed(text.encode()), ACCOUNT, NOW_S)


@given(
    body=st.sampled_from([BODY, BODY + b" ", b"", b"{}"]),
    signed_body=st.sampled_from([BODY, b""]),
    offset_s=st.one_of(st.integers(-400, 400), st.sampled_from([300, -300, 301, -301])),
    secret=st.sampled_from([SECRET, "another"]),
    garbage=st.one_of(st.none(), st.text(max_size=12)),
)
def test_we_and_slack_sdk_agree(
    body: bytes, signed_body: bytes, offset_s: int, secret: str, garbage: str | None
) -> None:
    """Every mixture of body, time, secret and garbage: where slack_sdk says no (or breaks), so do we."""
    timestamp = str(int(NOW_S) + offset_s)
    signature = SignatureVerifier(secret).generate_signature(timestamp=timestamp, body=signed_body) or ""
    timestamp, signature = (timestamp, signature) if garbage is None else (garbage, signature)
    headers = {"x-slack-request-timestamp": timestamp, "x-slack-signature": signature}
    request = Request("POST", "/", "", headers, body)
    try:
        theirs = SignatureVerifier(SECRET, FixedClock(int(NOW_S))).is_valid_request(body, headers)
    except (ValueError, TypeError):
        theirs = False

    try:
        verify(request, ACCOUNT, int(NOW_S))
        ours = True
    except Unauthentic:
        ours = False

    assert ours == theirs


@pytest.mark.parametrize(
    ("at_s", "reason"), [(NOW_S - 301, "stale"), (NOW_S - 86_400, "stale"), (NOW_S + 302, "stale")]
)
def test_a_replay_from_the_past_or_the_future_is_refused(at_s: float, reason: str) -> None:
    assert refusal(signed(BODY, at_s=at_s)) == reason


@pytest.mark.parametrize("timestamp", ["", "soon", "nan", "1e9", "-1", " 17638", "१७६३", "9" * 400, "1_0"])
def test_a_timestamp_that_is_no_number_is_a_refusal_and_no_error(timestamp: str) -> None:
    assert refusal(with_headers(signed(BODY), x_slack_request_timestamp=timestamp)) == "bad_timestamp"


@pytest.mark.parametrize("signature", ["", "v0=", "v1=abc", "v0=é", "v0=\ud800", "v0=" + "0" * 64])
def test_a_signature_that_is_none_is_a_refusal_and_no_error(signature: str) -> None:
    """compare_digest raises on text beyond ASCII, which must not become a 500."""
    assert refusal(with_headers(signed(BODY), x_slack_signature=signature)) == "bad_signature"


def test_missing_headers_are_refused() -> None:
    assert refusal(Request("POST", "/", "", {}, BODY)) == "bad_timestamp"


@given(st.integers(0, len(BODY) - 1), st.integers(1, 255))
def test_one_changed_byte_is_refused(at: int, change: int) -> None:
    tampered = bytearray(BODY)
    tampered[at] ^= change

    assert refusal(msgspec.structs.replace(signed(BODY), body=bytes(tampered))) == "bad_signature"


def test_both_live_secrets_are_accepted_and_a_retired_one_is_not() -> None:
    """A rotation: the new secret stands in front of the old one until the old one is taken out."""
    request = signed(BODY)

    verify(request, account("new", SECRET), NOW_S)
    verify(request, account(SECRET, "old"), NOW_S)
    assert refusal(request, account("new")) == "bad_signature"


@pytest.mark.parametrize("secrets", [(), ("",), (" ", "\n")])
def test_without_a_secret_nothing_is_authentic(secrets: tuple[str, ...]) -> None:
    """An empty secret would let anybody sign; it counts as none."""
    by_empty_secret = SignatureVerifier("x")
    by_empty_secret._signing_secret = secrets[0] if secrets else ""
    timestamp = str(int(NOW_S))
    signature = by_empty_secret.generate_signature(timestamp=timestamp, body=BODY) or ""
    request = with_headers(signed(BODY), x_slack_signature=signature)

    assert refusal(request, account(*secrets)) == "no_secret"


def test_a_refusal_tells_nothing_of_what_it_refuses() -> None:
    """Neither body, signature nor secret is in the error."""
    request = signed(BODY, at_s=NOW_S - 4_000)
    with pytest.raises(Unauthentic) as caught:
        verify(request, ACCOUNT, NOW_S)

    for hidden in (SECRET, request.header("x-slack-signature"), "Grüße"):
        assert hidden not in str(caught.value)
