"""``/api/v1/breakers``: all circuits of all processes, and what operators order of them.

| request                          | answer                                                            |
|----------------------------------|-------------------------------------------------------------------|
| `GET /breakers`                  | every endpoint with its order and its circuit in each process     |
| `PUT /breakers/<endpoint>`       | 200 and the order; every process obeys it until it is taken back  |
| `DELETE /breakers/<endpoint>`    | 204; 404 if there was no order                                    |

The body of PUT is ``{"order": "forced_open" | "forced_closed" | "metrics_only", "reason": "..."}``, with ``"anyway":
true`` for an endpoint that nobody has called and no assistant is reached at.

A label that holds ``%2F``, as that of one of several unix sockets does, is written with ``%252F`` in the path.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import flask
import msgspec

from gateway.circuits.circuits import Circuits
from gateway.domain.errors import BadRequest, NotFound
from gateway.domain.resilience.orders import OrderName, check, check_endpoint, check_known
from gateway.settings.secret import Secret
from gateway.web.api.bearer import bearer_guard
from gateway.web.api.problem import refuse_with_problems

__all__ = ["breaker_pages"]

_BODY_BYTES_MAX = 8_192
_ANYWAY = 'To order it all the same, add "anyway": true.'


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of PUT."""

    order: OrderName
    reason: str
    anyway: bool = False


def breaker_pages(circuits: Circuits, configured: Collection[str], tokens: Sequence[Secret]) -> flask.Blueprint:
    """Return the routes; *configured* are the endpoints that are known although nobody may have called them."""
    pages = flask.Blueprint("api_breakers", __name__, url_prefix="/api/v1/breakers")
    pages.before_request(bearer_guard(tokens))
    refuse_with_problems(pages)
    views = _Breakers(circuits, configured)
    pages.add_url_rule("", "list", views.list, methods=["GET"])
    # No label holds a slash.  Whoever writes %2F for a unix socket's %252F is told the label that is meant.
    pages.add_url_rule("/<path:endpoint>", "put", views.put, methods=["PUT"])
    pages.add_url_rule("/<path:endpoint>", "delete", views.delete, methods=["DELETE"])
    return pages


class _Breakers:
    """The views."""

    def __init__(self, circuits: Circuits, configured: Collection[str]) -> None:
        self._circuits = circuits
        self._configured = configured

    def list(self) -> flask.Response:
        """Show everything."""
        return _json(self._circuits.overview())

    def put(self, endpoint: str) -> flask.Response:
        """Order something."""
        wanted = _wanted()
        check(endpoint, wanted.order, wanted.reason)
        if not wanted.anyway:
            known = {*self._configured, *self._circuits.overview().known()}
            check_known(endpoint, known, hint=_ANYWAY)
        by = f"api ({flask.request.remote_addr or 'unknown'})"
        return _json(self._circuits.order(endpoint, wanted.order, by=by, reason=wanted.reason))

    def delete(self, endpoint: str) -> flask.Response:
        """Take an order back."""
        check_endpoint(endpoint)
        if not self._circuits.take_back(endpoint):
            raise NotFound(f"there is no order for {endpoint}", reason="no_such_order")
        return flask.Response(status=204)


def _wanted() -> Wanted:
    flask.request.max_content_length = _BODY_BYTES_MAX
    try:
        return msgspec.json.decode(flask.request.get_data(), type=Wanted)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"expected a JSON object with order and reason: {error}", reason="bad_body") from None


def _json(value: object) -> flask.Response:
    return flask.Response(
        msgspec.json.encode(value), content_type="application/json", headers={"Cache-Control": "no-store"}
    )
