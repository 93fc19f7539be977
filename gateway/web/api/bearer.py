"""Who may use the API: whoever has one of ``api.tokens``, or one of ``switchboard token`` with the scope needed.

RFC 6750.  Fail-closed: while PostgreSQL does not answer, only the tokens of the settings are taken.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence

import flask

from gateway.domain.api_token import Scope, allows
from gateway.settings.secret import Secret
from gateway.store.tokens import Tokens
from gateway.web.api.operation import Caller
from gateway.web.api.problem import problem

__all__ = ["Bearers"]

_CHALLENGE = 'Bearer realm="switchboard"'


class Bearers:
    """Those who bring a token."""

    def __init__(self, roots: Sequence[Secret], tokens: Tokens) -> None:
        self._roots = roots
        self._tokens = tokens

    def admit(self, scope: Scope) -> Caller | flask.Response:
        """Return who makes the request of this moment, or its refusal: they may not do what needs *scope*.

        :raises StoreUnavailable: it cannot be known.
        """
        scheme, _, given = flask.request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not given:
            # RFC 6750, section 3.1: who brought no token is told of no error.
            return _challenge(
                401,
                _CHALLENGE,
                "no_token",
                "expected the header Authorization: Bearer TOKEN "
                f"(`switchboard token create --scope {scope} --name NAME`)",
            )
        token = given.strip()
        at = flask.request.remote_addr or "unknown"
        if self._is_root(token):
            return Caller(f"api ({at})")
        holder = self._tokens.find(token)
        if holder is None:
            return _challenge(
                401,
                f'{_CHALLENGE}, error="invalid_token"',
                "wrong_token",
                "the token is none of api.tokens, and none that `switchboard token list` shows as valid",
            )
        if not allows(holder.scopes, scope):
            return _challenge(
                403,
                f'{_CHALLENGE}, error="insufficient_scope", scope="{scope}"',
                "insufficient_scope",
                f"expected a token with the scope {scope}, got one with {', '.join(sorted(holder.scopes))}",
            )
        return Caller(f"token {holder.token_id} {holder.name} ({at})")

    def _is_root(self, given: str) -> bool:
        # All are compared, so that the time tells neither how much of a token was right nor which one it was.
        given_bytes = given.encode("utf-8", "surrogateescape")
        found = [hmac.compare_digest(given_bytes, token.reveal_bytes()) for token in self._roots if token]
        return any(found)


def _challenge(status: int, challenge: str, reason: str, detail: str) -> flask.Response:
    return problem(status, reason=reason, detail=detail, headers={"WWW-Authenticate": challenge})
