"""Amazon's own verifier as a second opinion: ours lets in exactly whom it lets in, over generated requests.

It runs in node, on this machine's clock, with the chain and the roots that a test gives it.  Where the two are meant to
differ is named below: Amazon's is an SDK that is more lenient than Amazon's documents, and its certificates' path is
that of node-forge, which wants them in order.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.domain.errors import Unauthentic
from gateway.domain.http import Request
from tests.channels.alexa.authority import SIGNER, Certificate, Issuer, pem, signature
from tests.channels.alexa.deliveries import ALEXA, LEAF, MIDDLE, ROOT, URL, account, asking, proofs, request
from tests.support.programs import program

FOLDER = Path(__file__).parent / "oracle"
OTHER, LOWER = Issuer("Somebody else"), Issuer("Lower")
LIVE, OVER, FUTURE = (-10.0, 300.0), (-10.0, -1.0), (1.0, 300.0)


class Oracle:
    """The process."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [program("node"), "verify.js"], cwd=FOLDER, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def ask(self, delivery: Request, chain: bytes, root: Certificate) -> tuple[bool, str]:
        """Return whether Amazon's verifier accepts, and what it says."""
        asked = {
            "url": delivery.header("signaturecertchainurl"),
            "signature": delivery.header("signature-256"),
            "body": delivery.body.decode(),
            "chain": chain.decode(),
            "roots": [root.pem.decode()],
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asked).encode() + b"\n")
        self._process.stdin.flush()
        told = json.loads(self._process.stdout.readline())
        return told["accepted"], told["why"]

    def stop(self) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    npm = program("npm")
    if not (FOLDER / "node_modules" / "ask-sdk-express-adapter").exists():
        done = subprocess.run([npm, "ci", "--silent"], cwd=FOLDER, capture_output=True, check=False)
        if done.returncode:
            why = f"npm ci in {FOLDER} ended with {done.returncode}"
            (pytest.fail if os.environ.get("CI") else pytest.skip)(why)
    started = Oracle()
    yield started
    started.stop()


class Case(msgspec.Struct, frozen=True):
    """A request and its proof, with what may be wrong with each."""

    shape: str = "leaf, middle"
    leaf_days: tuple[float, float] = LIVE
    middle_days: tuple[float, float] = LIVE
    names: tuple[str, ...] = (SIGNER,)
    url: str = URL
    signer: str = "leaf"
    tampered: int = -1
    type: str = "IntentRequest"
    age_s: int = 0


def build(case: Case) -> tuple[Request, bytes, Certificate]:
    """Return the delivery, the chain that its address leads to, and the root that is trusted."""
    now = datetime.now(UTC)
    root = Certificate(ROOT, ROOT, now=now)
    middle = Certificate(MIDDLE, ROOT, days=case.middle_days, now=now)
    by = LOWER if "lower" in case.shape else OTHER if "stranger" in case.shape else MIDDLE
    leaf = Certificate(LEAF, by, ca=False, names=case.names, days=case.leaf_days, now=now)
    chain = {
        "leaf": [leaf],
        "leaf, middle": [leaf, middle],
        "leaf, middle, root": [leaf, middle, root],
        "middle, leaf": [middle, leaf],
        "leaf, lower, middle": [leaf, Certificate(LOWER, MIDDLE, now=now), middle],
        "leaf of a stranger": [leaf, Certificate(OTHER, OTHER, now=now)],
        "leaf of a stranger, middle": [leaf, middle],
    }[case.shape]
    at_s = time.time() - case.age_s
    says = asking("a negroni, please", at_s=at_s)
    body = says if case.type == "IntentRequest" else request({"type": case.type}, at_s=at_s)
    raw = json.dumps(body).encode()
    signed = signature(LEAF if case.signer == "leaf" else OTHER, raw)
    if case.tampered >= 0:
        # A letter of the text: what is no JSON any more would be refused for that.
        raw = raw.replace(b"negroni", b"n" + bytes([97 + case.tampered % 26]) + b"groni")
    headers = {"signaturecertchainurl": case.url, "signature-256": base64.b64encode(signed).decode()}
    return Request("POST", "/hooks/alexa/bartender", "", headers, raw), pem(*chain), root


def ours(delivery: Request, chain: bytes, root: Certificate) -> tuple[bool, str]:
    """Return whether our verifier accepts, and why not."""
    mine, now_s = account(root), time.time()
    try:
        ALEXA.verify(delivery, mine, now_s, proofs(delivery, mine, chain, now_s))
    except Unauthentic as error:
        return False, error.reason
    return True, ""


URLS = [
    URL,
    "https://s3.amazonaws.com:443/echo.api/echo-api-cert.pem",
    "HTTPS://S3.amazonaws.com/echo.api/echo-api-cert.pem",
    "http://s3.amazonaws.com/echo.api/echo-api-cert.pem",
    "https://notamazon.com/echo.api/echo-api-cert.pem",
    "https://s3.amazonaws.com/EcHo.aPi/echo-api-cert.pem",
    "https://s3.amazonaws.com/invalid.path/echo-api-cert.pem",
    "https://s3.amazonaws.com:563/echo.api/echo-api-cert.pem",
    "https://s3.amazonaws.com.evil.example/echo.api/cert.pem",
]
#: Mostly right, so that each of them is now and then all that is wrong.
rarely: dict[str, st.SearchStrategy[Any]] = {
    "shape": st.sampled_from(
        [
            "leaf", "leaf, middle, root", "middle, leaf", "leaf, lower, middle", "leaf of a stranger",
            "leaf of a stranger, middle",
        ]
    ),
    "leaf_days": st.sampled_from([OVER, FUTURE]),
    "middle_days": st.sampled_from([OVER, FUTURE]),
    "names": st.sampled_from([("evil.example",), ("a.amazon.com", SIGNER), ("echo-api.amazon.com.evil.example",)]),
    "url": st.sampled_from(URLS),
    "signer": st.just("other"),
    "tampered": st.integers(0, 25),
    "type": st.sampled_from(["LaunchRequest", "AlexaSkillEvent.SkillEnabled", "AlexaSkillEvent.SkillDisabled"]),
    "age_s": st.sampled_from([140, 160, 400, 3_500, 3_700]),
}  # fmt: skip


@st.composite
def cases(draw: st.DrawFn) -> Case:
    wrong = draw(st.lists(st.sampled_from(sorted(rarely)), max_size=2, unique=True))
    return Case(**{name: draw(rarely[name]) for name in wrong})


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(case=cases())
def test_ours_lets_in_exactly_whom_amazon_s_lets_in(oracle: Oracle, case: Case) -> None:
    built = build(case)
    accepted, why = ours(*built)
    theirs, their_why = oracle.ask(*built)

    assert accepted == theirs, f"ours: {why or 'accepted'}; theirs: {their_why or 'accepted'}"


def test_amazon_s_is_asked_and_says_both(oracle: Oracle) -> None:
    """The law above would hold of two verifiers that refuse everything."""
    assert oracle.ask(*build(Case())) == (True, "")
    assert not oracle.ask(*build(Case(signer="other")))[0]


@pytest.mark.parametrize("name", sorted(rarely))
def test_whatever_may_be_wrong_makes_a_difference(oracle: Oracle, name: str) -> None:
    """Law: no variation of the generated requests is without effect on both."""
    wrong = {
        "shape": "leaf of a stranger", "leaf_days": OVER, "middle_days": OVER, "names": ("evil.example",),
        "url": URLS[4], "signer": "other", "tampered": 3, "type": "LaunchRequest", "age_s": 400,
    }[name]  # fmt: skip
    built = build(Case(**{name: wrong}))  # type: ignore[arg-type]

    assert (ours(*built)[0], oracle.ask(*built)[0]) == ((True, True) if name == "type" else (False, False))


# Where they differ, and why


def test_what_amazon_s_documents_refuse_and_its_sdk_does_not(oracle: Oracle) -> None:
    """A time in the future, and a path that leaves /echo.api/ once it is normalised."""
    for case in (Case(age_s=-400), Case(url="https://s3.amazonaws.com/echo.api/../evil/cert.pem")):
        built = build(case)
        assert not ours(*built)[0]
        assert oracle.ask(*built)[0]


def test_what_amazon_s_documents_allow_and_its_sdk_does_not(oracle: Oracle) -> None:
    """A path that comes back to /echo.api/ is one of the examples of good ones."""
    built = build(Case(url="https://s3.amazonaws.com/x/../echo.api/echo-api-cert.pem"))

    assert ours(*built)[0]
    assert not oracle.ask(*built)[0]
