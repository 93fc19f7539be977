"""``/``: the chats of this gateway that are for everybody, by name; and refusals as a page, for people with a browser.

An account that does not say that it is ``listed`` is not named here, and where none is, there is nothing: who knows the
address alone need not know which accounts exist.
"""

from __future__ import annotations

from collections.abc import Iterable

import flask
from werkzeug.exceptions import HTTPException

from gateway.domain.errors import NotFound, SwitchboardError
from gateway.domain.http import error_response
from gateway.settings.accounts import WebchatAccount
from gateway.settings.settings import Settings

__all__ = ["PAGE_HEADERS", "front_page", "nowhere", "refusal"]

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
    # A refusal leads here, if there is anything here.
    pages.app_context_processor(lambda: {"has_front": bool(chats)})
    return pages


def refusal(error: SwitchboardError) -> flask.Response:
    """Return *error* as a page if a browser shows what it gets, and else as programs are told."""
    told = error_response(error)
    if _is_shown():
        words = str(error)
        return _page(f"{words[:1].upper()}{words[1:]}.", told.status, told.headers)
    return flask.Response(
        told.body,
        told.status,
        headers=[("Cache-Control", "no-store"), *told.headers],
        content_type=told.content_type,
    )


def nowhere(error: HTTPException) -> flask.Response | HTTPException:
    """Return what Flask refuses by itself as a page for a browser; programs go by the status, and get it as it is."""
    if not _is_shown():
        return error
    kept = [(name, value) for name, value in error.get_headers() if name in ("Allow", "Retry-After")]
    words = "There is nothing at this address." if error.code == 404 else f"{error.name}."
    return _page(words, error.code or 500, kept)


def _is_shown() -> bool:
    accepts = flask.request.accept_mimetypes
    # What programs send ("*/*") likes both as well.
    return accepts.quality("text/html") > accepts.quality("application/json")


def _page(words: str, status: int, headers: Iterable[tuple[str, str]]) -> flask.Response:
    page = flask.render_template("front.html", words=words)
    return flask.Response(page, status, headers=[*PAGE_HEADERS.items(), *headers])
