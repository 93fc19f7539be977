"""Who may use the API: whoever has one of ``api.tokens`` (RFC 6750).

Fail-closed: without a token in the settings nobody may, and is told which setting it is.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable, Sequence

import flask

from gateway.settings.secret import Secret
from gateway.web.api.problem import problem

__all__ = ["bearer_guard"]

_CHALLENGE = 'Bearer realm="switchboard"'


def bearer_guard(tokens: Sequence[Secret]) -> Callable[[], flask.Response | None]:
    """Return what refuses a request that brings none of *tokens*, to be run before each."""

    def refuse() -> flask.Response | None:
        if not any(tokens):
            return problem(
                403,
                reason="no_tokens",
                detail='no token is configured: set api.tokens (SWITCHBOARD_API__TOKENS="file:secrets/api_token")',
            )
        scheme, _, given = flask.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given:
            # RFC 6750, section 3.1: who brought no token is told of no error.
            return _challenge(_CHALLENGE, "no_token", "expected the header Authorization: Bearer TOKEN")
        if not _is_one_of(given.strip(), tokens):
            return _challenge(
                f'{_CHALLENGE}, error="invalid_token"', "wrong_token", "the token is none of api.tokens"
            )
        return None

    return refuse


def _is_one_of(given: str, tokens: Sequence[Secret]) -> bool:
    # All are compared, so that the time tells neither how much of a token was right nor which one it was.
    given_bytes = given.encode("utf-8", "surrogateescape")
    found = [hmac.compare_digest(given_bytes, token.reveal_bytes()) for token in tokens if token]
    return any(found)


def _challenge(challenge: str, reason: str, detail: str) -> flask.Response:
    return problem(401, reason=reason, detail=detail, headers={"WWW-Authenticate": challenge})
