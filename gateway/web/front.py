"""``/``: the chats of this gateway that are for everybody, by name; and refusals as a page, for people with a browser.

An account that does not say that it is ``listed`` is not named here, and where none is, there is nothing: who knows the
address alone need not know which accounts exist.
"""

from __future__ import annotations

import flask

from gateway.domain.errors import NotFound, SwitchboardError
from gateway.domain.http import error_response
from gateway.settings.accounts import WebchatAccount
from gateway.settings.settings import Settings

__all__ = ["PAGE_HEADERS", "front_page", "refusal"]

#: No script or style but our own files, nobody's frame, no form that leaves.  Pictures and sounds come from
#: wherever the assistant says; they learn nothing from a referrer.
PAGE_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " img-src 'self' https: http:; media-src https: http:;"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    # Not "no-referrer": under it browsers may send "Origin: null" with the page's own POST, which is then
    # refused.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def front_page(settings: Settings) -> flask.Blueprint:
    """Return the page at ``/``."""
    pages = flask.Blueprint("front", __name__)
    accounts = settings.accounts.values()
    chats = [each for each in accounts if isinstance(each, WebchatAccount) and each.listed]

    def front() -> flask.Response:
        if not chats:
            raise NotFound("there is nothing at this address", reason="nothing_listed")
        return flask.Response(flask.render_template("front.html", chats=chats), headers=PAGE_HEADERS)

    for path in ("/", "/chat/"):
        pages.add_url_rule(path, "front", front, methods=["GET"])
    pages.register_error_handler(SwitchboardError, refusal)
    return pages


def refusal(error: SwitchboardError) -> flask.Response:
    """Return *error* as a page if a browser shows what it gets, and else as programs are told."""
    told = error_response(error)
    accepts = flask.request.accept_mimetypes
    # What programs send ("*/*") likes both as well.
    if accepts.quality("text/html") > accepts.quality("application/json"):
        words = str(error)
        page = flask.render_template("front.html", words=f"{words[:1].upper()}{words[1:]}.")
        return flask.Response(page, told.status, headers=[*PAGE_HEADERS.items(), *told.headers])
    return flask.Response(
        told.body,
        told.status,
        headers=[("Cache-Control", "no-store"), *told.headers],
        content_type=told.content_type,
    )
