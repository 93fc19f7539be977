"""The visitor's cookie: who a browser is, signed, so that no conversation can be reached by guessing.

``<visitor id>.<issued>.<signature>``; the signature covers the account too, so one account's cookie is
nothing to another.  The id is drawn by the caller (128 random bits or more): this file knows no randomness
and no clock.
"""

from __future__ import annotations

import hmac
import re

from gateway.domain.errors import Unauthentic
from gateway.domain.http import Request
from gateway.settings.accounts import WebchatAccount
from gateway.settings.secret import Secret

__all__ = ["VISITOR_ID", "cookie_name", "issue", "visitor"]

#: 22 characters of base64 are 128 bits.
VISITOR_ID = re.compile(r"[A-Za-z0-9_-]{22,64}")
_VALUE = re.compile(rf"({VISITOR_ID.pattern})\.(\d{{1,12}})\.([0-9a-f]{{64}})")
_DAY_S = 86_400
#: A browser may hold several of one name, for different paths; an attacker may send any number.
_CANDIDATES_MAX = 4
#: Two machines of ours may disagree by this much.
_SKEW_S_MAX = 300


def cookie_name(account: WebchatAccount) -> str:
    """Return the cookie's name: one visitor may chat with several accounts."""
    return f"switchboard_{account.name}"


def issue(visitor_id: str, account: WebchatAccount, now_s: float) -> str:
    """Return the ``Set-Cookie`` value that makes the browser *visitor_id*."""
    secrets = _secrets(account)
    if not VISITOR_ID.fullmatch(visitor_id):
        raise ValueError("a visitor id is 22 to 64 characters of base64url")
    issued = str(int(now_s))
    value = f"{visitor_id}.{issued}.{_signature(secrets[0], account, visitor_id, issued)}"
    age_s = int(account.cookie_days * _DAY_S)
    secure = "; Secure" if account.cookie_secure else ""
    return f"{cookie_name(account)}={value}; Max-Age={age_s}; Path=/; HttpOnly; SameSite=Lax{secure}"


def visitor(request: Request, account: WebchatAccount, now_s: float) -> str:
    """Return the visitor id that the request's cookie proves, or raise Unauthentic."""
    secrets = _secrets(account)
    for value in _values(request.header("cookie"), cookie_name(account)):
        match = _VALUE.fullmatch(value)
        if match and _is_live(int(match[2]), account, now_s):
            expected = [_signature(secret, account, match[1], match[2]) for secret in secrets]
            if any(hmac.compare_digest(each, match[3]) for each in expected):
                return match[1]
    raise Unauthentic("no valid visitor cookie", reason="no_visitor")


def _secrets(account: WebchatAccount) -> list[Secret]:
    secrets = [secret for secret in account.cookie_secrets if secret.reveal().strip()]
    if not secrets:
        raise Unauthentic("the account has no cookie secret", reason="no_secret")
    return secrets


def _signature(secret: Secret, account: WebchatAccount, visitor_id: str, issued: str) -> str:
    signed = f"webchat|{account.name}|{visitor_id}|{issued}".encode()
    return hmac.digest(secret.reveal_bytes(), signed, "sha256").hex()


def _is_live(issued_s: int, account: WebchatAccount, now_s: float) -> bool:
    return -_SKEW_S_MAX <= now_s - issued_s <= account.cookie_days * _DAY_S


def _values(header: str, name: str) -> list[str]:
    pairs = (pair.strip().partition("=") for pair in header.split(";"))
    return [value for key, _, value in pairs if key == name][:_CANDIDATES_MAX]
