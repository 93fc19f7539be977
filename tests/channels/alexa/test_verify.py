"""Who is let in: Amazon's signature, chain, time and skill; each of them wrong by itself is a refusal with 400."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.channels.alexa.refused import Refused
from gateway.channels.alexa.urls import chain_path
from gateway.channels.alexa.verify import EVENT_SKEW_S_MAX, SKEW_S_MAX, unix_s
from gateway.domain.errors import Unauthentic
from gateway.domain.http import Request
from gateway.settings.accounts import AlexaAccount
from gateway.settings.secret import Secret
from tests.channels.alexa.authority import SIGNER, Certificate, Issuer, pem
from tests.channels.alexa.deliveries import (
    ACCOUNT,
    ALEXA,
    CHAIN,
    LEAF,
    MIDDLE,
    NOW_S,
    ROOT,
    ROOT_CERTIFICATE,
    SKILL,
    URL,
    account,
    asking,
    launch,
    proofs,
    request,
    signed,
)

OTHER = Issuer("Somebody else")


def refusal(
    delivery: Request, of: AlexaAccount = ACCOUNT, chain: bytes = CHAIN, *, now_s: float = NOW_S
) -> str:
    """Return why the delivery is refused; empty if it is not."""
    try:
        ALEXA.verify(delivery, of, now_s, proofs(delivery, of, chain, now_s))
    except Unauthentic as error:
        return f"{error.status} {error.reason}".removeprefix("400 ")
    return ""


def test_amazon_is_let_in() -> None:
    assert refusal(signed(asking("a negroni, please: ünïcode"))) == ""


def test_an_account_without_skills_lets_nobody_in_and_fetches_nothing() -> None:
    nobody = account(skill_ids=())

    assert ALEXA.proof_urls(signed(launch()), nobody) == ()
    assert refusal(signed(launch()), nobody) == "no_secret"


# Signature


def test_every_byte_is_signed() -> None:
    good = signed(asking("hello"))
    for at in (0, 10, len(good.body) // 2, len(good.body) - 1):
        tampered = good.body[:at] + bytes([good.body[at] ^ 1]) + good.body[at + 1 :]
        assert refusal(Request("POST", good.path, "", good.headers, tampered)) == "bad_signature"


@pytest.mark.parametrize("value", ["", "no base64!", "AAAA", "é", "A" * 3_000, "QUJD, QUJD"])
def test_a_signature_that_is_none_is_refused(value: str) -> None:
    assert refusal(signed(launch(), signature_256=value)) == "bad_signature"


def test_the_old_signature_proves_nothing() -> None:
    good = signed(launch())
    old = {name: value for name, value in good.headers.items() if name != "signature-256"}
    delivery = Request("POST", good.path, "", {**old, "signature": good.headers["signature-256"]}, good.body)

    assert refusal(delivery) == "bad_signature"


def test_another_s_signature_is_refused() -> None:
    assert refusal(signed(launch(), by=OTHER)) == "bad_signature"


# Time


@pytest.mark.parametrize("skew_s", [-SKEW_S_MAX, 0, SKEW_S_MAX])
def test_what_was_made_within_150_s_is_let_in(skew_s: int) -> None:
    assert refusal(signed(launch(at_s=NOW_S + skew_s))) == ""


@pytest.mark.parametrize("skew_s", [-SKEW_S_MAX - 1, SKEW_S_MAX + 1, 10**8])
def test_older_and_newer_requests_may_be_replays(skew_s: int) -> None:
    assert refusal(signed(launch(at_s=NOW_S + skew_s))) == "stale"


def test_skill_events_may_be_an_hour_old() -> None:
    event = {"type": "AlexaSkillEvent.SkillEnabled"}

    assert refusal(signed(request(event, at_s=NOW_S - EVENT_SKEW_S_MAX))) == ""
    assert refusal(signed(request(event, at_s=NOW_S - EVENT_SKEW_S_MAX - 1))) == "stale"
    assert refusal(signed(request({"type": "AlexaSkillEvent.Strange"}, at_s=NOW_S - 600))) == "stale"


@pytest.mark.parametrize(
    "value", ["", "now", "2026-11-23", "2026-11-23T12:00:00", "2026-W48-1T12:00", "1763899200", "९-11-23T12:00:00Z"]
)
def test_a_timestamp_that_is_none_is_refused(value: str) -> None:
    """A time without its zone would be this machine's."""
    body = launch()
    body["request"]["timestamp"] = value

    assert refusal(signed(body)) == "bad_timestamp"


def test_times_with_zones_and_fractions_are_read() -> None:
    assert unix_s("1970-01-01T00:00:01Z") == unix_s("1970-01-01T01:00:01.000+01:00") == 1.0
    assert unix_s("9999-12-31T23:59:59-23:59") != unix_s("9999-12-31T23:59:59+23:59")


# Skill


def test_another_skill_s_request_is_refused() -> None:
    """It is Amazon's, signed and fresh; but somebody else's skill could have passed it on."""
    assert refusal(signed(launch(skill="amzn1.ask.skill.other"))) == "other_skill"


def test_the_session_and_the_context_must_both_name_the_skill() -> None:
    for where in ("session", "context"):
        body = launch()
        application = {"applicationId": "amzn1.ask.skill.other"}
        (body["session"] if where == "session" else body["context"]["System"])["application"] = application
        assert refusal(signed(body)) == "other_skill"


def test_one_of_the_two_is_enough_and_none_is_not() -> None:
    event = request({"type": "AlexaSkillEvent.SkillEnabled"})
    del event["session"]
    assert refusal(signed(event)) == ""
    del event["context"]
    assert refusal(signed(event)) == "other_skill"


def test_each_stage_of_a_skill_has_an_id() -> None:
    assert refusal(signed(launch()), account(skill_ids=("amzn1.ask.skill.development", SKILL))) == ""


@pytest.mark.parametrize("body", [b"", b"{}", b"[]", b"null", b"\xff", b"{", b'{"request":{"type":1}}'])
def test_what_says_neither_when_nor_for_whom_is_refused_though_it_is_signed(body: bytes) -> None:
    assert refusal(signed(body)) == "not_dated"


# Chain


def chain_refusal(*chain: Certificate, of: AlexaAccount = ACCOUNT, now_s: float = NOW_S) -> str:
    return refusal(signed(launch(at_s=now_s)), of, pem(*chain), now_s=now_s)


def leaf(**how: Any) -> Certificate:
    return Certificate(LEAF, how.pop("by", MIDDLE), ca=False, names=how.pop("names", [SIGNER]), **how)


def test_a_chain_may_hold_its_root_and_strangers() -> None:
    middle = Certificate(MIDDLE, ROOT)
    assert chain_refusal(leaf(), middle, ROOT_CERTIFICATE) == ""
    assert chain_refusal(leaf(), Certificate(OTHER, OTHER), middle) == ""


def test_intermediates_may_stand_in_any_order_behind_the_leaf() -> None:
    lower = Issuer("Lower")
    chain = [Certificate(lower, MIDDLE), Certificate(MIDDLE, ROOT)]

    assert chain_refusal(leaf(by=lower), *chain) == ""
    assert chain_refusal(leaf(by=lower), *reversed(chain)) == ""
    assert chain_refusal(Certificate(MIDDLE, ROOT), leaf()) == "bad_chain", "the leaf is the first"


def test_a_chain_without_its_middle_leads_nowhere() -> None:
    assert chain_refusal(leaf()) == "bad_chain"


def test_a_cross_signed_middle_leads_to_the_root_that_is_trusted() -> None:
    """Amazon's own roots are signed by an older one, too: whichever of the two is trusted is found."""
    old = Issuer("Old root")
    new_root = Certificate(ROOT, ROOT)
    chain = (leaf(), Certificate(MIDDLE, ROOT), Certificate(ROOT, old))

    assert chain_refusal(*chain, of=account(Certificate(old, old))) == ""
    assert chain_refusal(*chain, of=account(new_root)) == ""


def test_another_root_is_not_trusted() -> None:
    assert chain_refusal(leaf(by=OTHER), Certificate(OTHER, OTHER)) == "bad_chain"
    impostor = Issuer("Impostor")
    impostor.name = ROOT.name
    assert chain_refusal(leaf(by=impostor), Certificate(impostor, impostor)) == "bad_chain", "a name is no key"


def test_without_a_root_of_its_own_an_account_trusts_what_browsers_trust() -> None:
    assert refusal(signed(launch()), account(trust_root=Secret(""))) == "bad_chain"


@pytest.mark.parametrize("days", [(-10, -1), (1, 300)], ids=["over", "not yet"])
@pytest.mark.parametrize("which", ["leaf", "middle", "root"])
def test_each_certificate_must_be_within_its_time(days: tuple[float, float], which: str) -> None:
    late = {which: {"days": days}}
    root = Certificate(ROOT, ROOT, **late.get("root", {}))  # type: ignore[arg-type]

    assert chain_refusal(
        leaf(**late.get("leaf", {})),
        Certificate(MIDDLE, ROOT, **late.get("middle", {})),  # type: ignore[arg-type]
        of=account(root),
    ) == ("bad_chain")


def test_a_proof_is_good_while_every_certificate_is() -> None:
    """Law: what is kept is judged anew as soon as one of them is out of its time."""
    chain = pem(leaf(days=(-5, 40)), Certificate(MIDDLE, ROOT, days=(-3, 30)))
    proof = ALEXA.read_proof(URL, chain, ACCOUNT, NOW_S)

    assert (proof.good_from_s, proof.good_until_s) == (NOW_S - 3 * 86_400, NOW_S + 30 * 86_400)


@pytest.mark.parametrize(
    "names",
    [None, ["evil.example"], ["echo-api.amazon.com.evil.example"], ["api.amazon.com"], ["*.evil.example"]],
)
def test_the_leaf_must_name_amazon_s_signer(names: list[str] | None) -> None:
    assert chain_refusal(
        Certificate(LEAF, MIDDLE, ca=False, names=names), Certificate(MIDDLE, ROOT)
    ) == "bad_chain"


def test_one_of_several_names_is_enough() -> None:
    assert chain_refusal(leaf(names=["a.amazon.com", SIGNER]), Certificate(MIDDLE, ROOT)) == ""


def test_a_leaf_signs_no_certificates() -> None:
    """Law: whoever has any certificate of a trusted authority cannot make Amazon's with it."""
    honest = Certificate(OTHER, MIDDLE, ca=False, names=["honest.example"])
    forged = leaf(by=OTHER)

    assert chain_refusal(forged, honest, Certificate(MIDDLE, ROOT)) == "bad_chain"


def test_an_elliptic_key_signs_nothing_here() -> None:
    assert chain_refusal(leaf(elliptic=True), Certificate(MIDDLE, ROOT)) == "bad_chain"


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html>404</html>",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        CHAIN[:-100],
        CHAIN * 20,
    ],
    ids=["empty", "a page", "no certificate", "cut", "endless"],
)
def test_a_document_that_is_no_chain_is_refused(document: bytes) -> None:
    with pytest.raises(Refused) as caught:
        ALEXA.read_proof(URL, document, ACCOUNT, NOW_S)

    assert caught.value.reason == "bad_chain"


def test_a_trust_root_that_cannot_be_read_trusts_nobody() -> None:
    broken = account(trust_root=Secret("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"))

    with pytest.raises(Refused) as caught:
        ALEXA.read_proof(URL, CHAIN, broken, NOW_S)
    assert caught.value.reason == "bad_trust_root"


def test_without_what_was_to_be_fetched_nobody_is_let_in() -> None:
    with pytest.raises(Refused) as caught:
        ALEXA.verify(signed(launch()), ACCOUNT, NOW_S, {})

    assert caught.value.reason == "no_chain"


# Where the chain is

GOOD_URLS = [
    "https://s3.amazonaws.com/echo.api/echo-api-cert.pem",
    "https://s3.amazonaws.com:443/echo.api/echo-api-cert.pem",
    "https://s3.amazonaws.com/echo.api/../echo.api/echo-api-cert.pem",
    "HTTPS://S3.AmazonAWS.com/echo.api/echo-api-cert.pem",
]
BAD_URLS = [
    "",
    "http://s3.amazonaws.com/echo.api/echo-api-cert.pem",
    "https://notamazon.com/echo.api/echo-api-cert.pem",
    "https://s3.amazonaws.com/EcHo.aPi/echo-api-cert.pem",
    "https://s3.amazonaws.com/invalid.path/echo-api-cert.pem",
    "https://s3.amazonaws.com:563/echo.api/echo-api-cert.pem",
    "https://s3.amazonaws.com/echo.api/../evil/cert.pem",
    "https://s3.amazonaws.com/echo.api/%2e%2e/evil/cert.pem",
    "https://s3.amazonaws.com/echo.api/",
    "https://s3.amazonaws.com.evil.example/echo.api/cert.pem",
    "https://s3.amazonaws.com@evil.example/echo.api/cert.pem",
    "https://evil.example/#@s3.amazonaws.com/echo.api/cert.pem",
    "https://s3.amazonaws.com\\@evil.example/echo.api/cert.pem",
    "https://s3.amazonaws.com/echo.api/cert.pem?x=https://evil.example",
    "https://s3.amazonaws.com/echo.api/cert\n.pem",
    "//s3.amazonaws.com/echo.api/cert.pem",
    "https://s3.amazonaws.com/echo.apix/cert.pem",
    "https://s3.amazonaws.com:99999/echo.api/cert.pem",
    "https://s3.amazonaws.com/echo.api/" + "a" * 600,
    "https://[::1]/echo.api/cert.pem",
]


@pytest.mark.parametrize("url", GOOD_URLS)
def test_amazon_s_own_examples_are_fetched_by_their_normal_form(url: str) -> None:
    """https://developer.amazon.com/docs/alexa/custom-skills/host-a-custom-skill-as-a-web-service.html"""
    assert chain_path(url) == "/echo.api/echo-api-cert.pem"
    assert refusal(signed(launch(), url=url)) == ""


@pytest.mark.parametrize("url", BAD_URLS)
def test_anything_else_is_never_fetched(url: str) -> None:
    delivery = signed(launch(), url=url)

    assert ALEXA.proof_urls(delivery, ACCOUNT) == ()
    assert refusal(delivery) == "bad_chain_url"


def test_the_chain_is_fetched_at_amazon_s_or_where_a_trial_says() -> None:
    delivery = signed(launch())
    trial = account(chain_origin="http://127.0.0.1:8089/alexa/bartender/")

    assert ALEXA.proof_urls(delivery, ACCOUNT) == (URL,)
    assert ALEXA.proof_urls(delivery, trial) == (
        "http://127.0.0.1:8089/alexa/bartender/echo.api/echo-api-cert-12.pem",
    )
