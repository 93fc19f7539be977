"""``/api/v1/users``: what people may ask of whoever keeps something about them.

| request             | answer                                                                                     |
|---------------------|--------------------------------------------------------------------------------------------|
| `POST /users/erase` | 202: all that the user left behind is going to be removed; 404 if nobody of this key spoke |

The body is ``{"channel": "slack", "account": "bartender", "key": "T1:U1"}``: a key is no part of an address, because
addresses are logged.  With ``"even_if_unknown": true`` what names the user is looked for even if they never spoke.  The
answer has ``job_id``, and ``Location`` leads to the job, whose result is the report.
"""

from __future__ import annotations

from collections.abc import Sequence

import flask
import msgspec

from gateway.domain.errors import BadRequest
from gateway.jobs.erasure import Erasure
from gateway.settings.secret import Secret
from gateway.web.api.bearer import bearer_guard
from gateway.web.api.problem import refuse_with_problems

__all__ = ["user_pages"]

_BODY_BYTES_MAX = 8_192


class Wanted(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body."""

    channel: str
    account: str
    key: str
    even_if_unknown: bool = False


def user_pages(erasure: Erasure, tokens: Sequence[Secret]) -> flask.Blueprint:
    """Return the routes."""
    pages = flask.Blueprint("api_users", __name__, url_prefix="/api/v1/users")
    pages.before_request(bearer_guard(tokens))
    refuse_with_problems(pages)

    def erase() -> flask.Response:
        """Have one erased."""
        wanted = _wanted()
        asked = erasure.ask(wanted.channel, wanted.account, wanted.key, even_if_unknown=wanted.even_if_unknown)
        return flask.Response(
            msgspec.json.encode({"job_id": asked.job_id, "fresh": asked.fresh}),
            202,
            content_type="application/json",
            headers={"Cache-Control": "no-store", "Location": f"/api/v1/jobs/{asked.job_id}"},
        )

    pages.add_url_rule("/erase", "erase", erase, methods=["POST"])
    return pages


def _wanted() -> Wanted:
    flask.request.max_content_length = _BODY_BYTES_MAX
    try:
        return msgspec.json.decode(flask.request.get_data(), type=Wanted)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(f"expected a JSON object with channel, account and key: {error}", reason="bad_body") from None
