"""Alexa's proof: a signature over the raw bytes, by a certificate of Amazon's; the time; and the skill it is meant for.

https://developer.amazon.com/docs/alexa/custom-skills/host-a-custom-skill-as-a-web-service.html#manually-verify-request-sent-by-alexa

Fail closed: an account that names no skill lets nobody in.  The chain of certificates is fetched by the spine from the
address that ``proof_urls`` has checked; what ``verify`` gets is the key that ``read_proof`` found good.  The older
SHA-1 signature (``Signature``) is not looked at.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from datetime import datetime

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from gateway.channels.alexa.payloads import Application
from gateway.channels.alexa.refused import Refused
from gateway.channels.alexa.urls import chain_path
from gateway.channels.base import Proofs
from gateway.channels.decoding import decode_json
from gateway.domain.errors import NotUnderstood
from gateway.domain.http import Request
from gateway.settings.accounts import AlexaAccount

__all__ = ["EVENT_SKEW_S_MAX", "SKEW_S_MAX", "proof_urls", "unix_s", "verify"]

#: [D] older or newer requests may be replays.
SKEW_S_MAX = 150
#: [S ask_sdk_webservice_support] of skill events, which Amazon delivers late.
EVENT_SKEW_S_MAX = 3_600
_LATE_TYPES = frozenset(
    "AlexaSkillEvent." + name
    for name in (
        "SkillEnabled", "SkillDisabled", "SkillPermissionChanged", "SkillPermissionAccepted", "SkillAccountLinked",
    )
)  # fmt: skip
#: Base64 of a signature by the longest RSA key that anybody uses.
_SIGNATURE_CHARS_MAX = 2_048
_PADDING, _HASH = PKCS1v15(), SHA256()


class _System(msgspec.Struct):
    application: Application | None = None


class _Context(msgspec.Struct):
    system: _System = msgspec.field(default_factory=_System, name="System")


class _Session(msgspec.Struct):
    application: Application | None = None


class _Request(msgspec.Struct):
    type: str
    timestamp: str


class _Envelope(msgspec.Struct):
    """As much as proves for whom and when it was made."""

    request: _Request
    session: _Session | None = None
    context: _Context = msgspec.field(default_factory=_Context)


_ENVELOPE = msgspec.json.Decoder(_Envelope)


def proof_urls(request: Request, account: AlexaAccount) -> tuple[str, ...]:
    """Return where the chain of certificates is; nothing for a request that is refused without looking at it."""
    if not account.skill_ids or not _signature(request):
        return ()
    path = chain_path(request.header("signaturecertchainurl"))
    return () if path is None else (account.chain_origin.rstrip("/") + path,)


def verify(request: Request, account: AlexaAccount, now_s: float, proofs: Proofs) -> None:
    """Return if Alexa signed exactly these bytes for this skill within the last minutes, or raise Refused."""
    if not account.skill_ids:
        raise Refused("the account names no skill (skill_ids)", reason="no_secret")
    signature = _signature(request)
    if not signature:
        raise Refused("the signature is missing or not base64", reason="bad_signature")
    path = chain_path(request.header("signaturecertchainurl"))
    if path is None:
        raise Refused("the certificate chain's address is missing or not Amazon's", reason="bad_chain_url")
    key = proofs.get(account.chain_origin.rstrip("/") + path)
    if key is None:
        raise Refused("the certificate chain was not fetched", reason="no_chain")
    try:
        key.verify(signature, request.body, _PADDING, _HASH)
    except InvalidSignature:
        raise Refused("the signature does not match", reason="bad_signature") from None
    _check_meant(request.body, account, now_s)


def _check_meant(body: bytes, account: AlexaAccount, now_s: float) -> None:
    try:
        envelope = decode_json(_ENVELOPE, body)
    except NotUnderstood as error:
        # Signed, and yet nothing says for whom or when: it could be any skill's, of any year.
        raise Refused(f"the request says neither when nor for whom it was made: {error}", reason="not_dated") from None
    at_s = unix_s(envelope.request.timestamp)
    if at_s is None:
        raise Refused("the timestamp is missing or none", reason="bad_timestamp")
    skew_s_max = EVENT_SKEW_S_MAX if envelope.request.type in _LATE_TYPES else SKEW_S_MAX
    if abs(now_s - at_s) > skew_s_max:
        raise Refused(f"the timestamp is more than {skew_s_max} s off", reason="stale")
    session = envelope.session.application if envelope.session else None
    named = [each.application_id for each in (session, envelope.context.system.application) if each]
    if not named or any(each not in account.skill_ids for each in named):
        raise Refused("the request is for another skill than the account's skill_ids", reason="other_skill")


def unix_s(timestamp: str) -> float | None:
    """Return an ISO 8601 time with its zone as Unix seconds, or None."""
    # fromisoformat also takes a date alone, a week, and no zone, which would be this machine's.
    if "T" not in timestamp or not timestamp.isascii():
        return None
    try:
        at = datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    try:
        return at.timestamp() if at.tzinfo is not None else None
    except (OverflowError, ValueError):
        return None


def _signature(request: Request) -> bytes:
    """Return the signature's bytes; none if there is no plausible one."""
    text = request.header("signature-256")
    if not text or len(text) > _SIGNATURE_CHARS_MAX or not text.isascii():
        return b""
    try:
        return b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
