"""Whatever Amazon would sign: a value or a typed refusal, with bounded work, and nothing that stores refuse."""

from __future__ import annotations

import contextlib
import copy
import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.channels.alexa.urls import chain_path
from gateway.channels.base import Messages
from gateway.domain.errors import NotUnderstood, Unauthentic
from gateway.domain.http import Request
from tests.channels.alexa.deliveries import ACCOUNT, ALEXA, CHAIN, NOW_S, URL, asking, intent, launch, request
from tests.support.work import bounded_work

SAMPLES = [launch(), asking("hello"), intent("AMAZON.YesIntent"), request({"type": "SessionEndedRequest"})]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def assert_value_or_refusal(body: bytes) -> None:
    """Any exception but NotUnderstood fails the test by itself."""
    with contextlib.suppress(NotUnderstood):
        parsed = ALEXA.parse(Request("POST", "/hooks/alexa/a", "", {}, body), ACCOUNT, NOW_S)
        assert isinstance(parsed, Messages)
        for inbound in parsed.inbound:
            assert b"\\u0000" not in msgspec.json.encode((inbound.address, inbound.message, inbound.sender))
            assert all(len(key.encode()) < 2_500 for key in (*inbound.dedupe_keys, inbound.conversation_key))
            assert inbound.surface in ALEXA.surfaces


@given(st.binary(max_size=300))
def test_any_bytes_are_a_value_or_a_typed_refusal(body: bytes) -> None:
    assert_value_or_refusal(body)


@st.composite
def twisted(draw: st.DrawFn) -> bytes:
    """A request in which one thing, at any depth, is anything."""
    body = copy.deepcopy(draw(st.sampled_from(SAMPLES)))
    at: Any = body
    while True:
        name = draw(st.sampled_from(sorted(at)))
        if not isinstance(at[name], dict) or not at[name] or draw(st.booleans()):
            break
        at = at[name]
    at[name] = draw(JSON)
    return json.dumps(body).encode()


@given(twisted())
def test_any_twist_of_a_request_is_a_value_or_a_typed_refusal(body: bytes) -> None:
    assert_value_or_refusal(body)


@given(st.text(max_size=60), st.text(max_size=200))
def test_any_words_in_slots_and_names_are_storable(name: str, value: str) -> None:
    assert_value_or_refusal(json.dumps(intent(name, {name: {"value": value}, "text": {"value": value}})).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"request":' * 20_000,
        b'{"request":{"type":"IntentRequest","requestId":"r","timestamp":"t","intent":{"name":"'
        + b"Aa" * 100 + b'","slots":{"a":' + b'{"slotValue":{"values":[' * 5_000,
        json.dumps(intent("Aa1" * 160, {str(n): {"value": "v"} for n in range(5_000)})).encode(),
        json.dumps(intent("_" * 500 + "Intent")).encode(),
    ],
    ids=["brackets", "objects", "slot values", "many slots", "a long name"],
)  # fmt: skip
def test_no_body_is_much_work(body: bytes) -> None:
    headers = {"signaturecertchainurl": URL, "signature-256": "QUJD"}
    with bounded_work(), contextlib.suppress(Unauthentic):
        assert_value_or_refusal(body)
        ALEXA.verify(Request("POST", "/", "", headers, body), ACCOUNT, NOW_S)


@given(st.one_of(st.text(max_size=80), st.text("htps:/.3amzonw@\\%#?ec", max_size=60).map(lambda t: "https://" + t)))
def test_any_address_is_amazon_s_or_none(url: str) -> None:
    path = chain_path(url)

    assert path is None or (path.startswith("/echo.api/") and ".." not in path)


def changed(at: int, by: bytes) -> bytes:
    return CHAIN[:at] + by + CHAIN[at + len(by) :]


@given(
    st.binary(max_size=400)
    | st.builds(changed, st.integers(0, len(CHAIN)), st.binary(min_size=1, max_size=8))
)
def test_any_document_is_a_chain_or_a_refusal(document: bytes) -> None:
    """Any exception but Unauthentic fails the test by itself, and no changed certificate has another key."""
    try:
        proof = ALEXA.read_proof(URL, document, ACCOUNT, NOW_S)
    except Unauthentic:
        return
    assert proof.value.public_numbers() == ALEXA.read_proof(URL, CHAIN, ACCOUNT, NOW_S).value.public_numbers()


@given(
    st.dictionaries(
        st.sampled_from(["signaturecertchainurl", "signature-256", "signature"]), st.text(max_size=80), max_size=3
    ),
    st.binary(max_size=80),
)
def test_any_headers_are_a_refusal(headers: dict[str, str], body: bytes) -> None:
    delivery = Request("POST", "/", "", headers, body)
    ALEXA.proof_urls(delivery, ACCOUNT)

    with pytest.raises(Unauthentic):
        ALEXA.verify(delivery, ACCOUNT, NOW_S, {})
