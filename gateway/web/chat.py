"""``/chat/<account>``: the page, and the stream that it reads.  What it says goes to
``/hooks/webchat/<account>``.

The visitor is whoever the signed cookie says.  The page gives one to a browser that has none; the stream
never does, so a conversation can be read only with the cookie under which it was held.
"""

from __future__ import annotations

import secrets
import time
from typing import Any
from wsgiref.types import WSGIEnvironment

import flask
import msgspec

from gateway.channels.webchat.cookie import issue, visitor
from gateway.channels.webchat.parse import ChatName
from gateway.channels.webchat.render import render
from gateway.channels.webchat.surfaces import MESSAGE, TEXT_CHARS_MAX
from gateway.conversations.follow import Follower
from gateway.conversations.live import Live
from gateway.conversations.subscription import Subscription
from gateway.conversations.transcripts import Transcripts
from gateway.domain.errors import BadRequest, NotFound, SwitchboardError, Unauthentic
from gateway.domain.http import Request
from gateway.domain.reply import Reply
from gateway.settings.accounts import WebchatAccount
from gateway.settings.settings import Settings
from gateway.web.chat_stream import BEAT, COME_BACK, OPENING, ChatSource
from gateway.web.event_stream import CONTENT_TYPE
from gateway.web.express import from_environ
from gateway.web.front import PAGE_HEADERS, refusal
from gateway.web.held_events import Lookouts, open_stream

__all__ = ["chat_pages"]

#: 24 characters of base64url.
_VISITOR_ID_BYTES = 18
#: Digits of a sequence number that fits the ledger's bigint.
_SEQ_DIGITS_MAX = 18

#: X-Accel-Buffering: nginx would keep events back until its buffer is full.
_STREAM_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no", "X-Content-Type-Options": "nosniff"}


def chat_pages(settings: Settings, live: Live, transcripts: Transcripts) -> flask.Blueprint:
    """Return the chat pages of all web chat accounts."""
    pages = flask.Blueprint("chat", __name__, url_prefix="/chat")
    chats = _Chats(settings, live, transcripts)
    pages.add_url_rule("/<account>", "page", chats.page, methods=["GET"])
    pages.add_url_rule("/<account>/events", "events", chats.events, methods=["GET"])
    pages.register_error_handler(SwitchboardError, refusal)
    return pages


class _Chats:
    """The two views."""

    def __init__(self, settings: Settings, live: Live, transcripts: Transcripts) -> None:
        self._settings = settings
        self._live = live
        self._transcripts = transcripts
        self._lookouts = Lookouts()

    def page(self, account: str) -> flask.Response:
        """Show the page, and make its reader a visitor who is remembered from now on."""
        chat = self._account(account)
        request, now_s = _request(), time.time()
        try:
            visitor_id = visitor(request, chat, now_s)
        except Unauthentic:
            visitor_id = secrets.token_urlsafe(_VISITOR_ID_BYTES)
        page = flask.render_template(
            "chat.html",
            account=chat,
            title=chat.title or chat.name,
            chat=_chat_name(),
            text_chars_max=TEXT_CHARS_MAX,
            beat_s=self._settings.webchat.heartbeat_s,
        )
        # Given anew each time: whoever keeps coming is not forgotten, and a rotated key reaches everybody.
        cookie = issue(visitor_id, chat, now_s)
        return flask.Response(page, headers={**PAGE_HEADERS, "Set-Cookie": cookie})

    def events(self, account: str) -> flask.Response:
        """Send what was said behind ``Last-Event-ID`` (or ``?after=``), and then what is being said."""
        chat = self._account(account)
        visitor_id = visitor(_request(), chat, time.time())
        key = (chat.channel, chat.name, f"{visitor_id}:{_chat_name()}")
        headers = {**_STREAM_HEADERS, "Content-Type": CONTENT_TYPE}
        if flask.request.method == "HEAD":
            return flask.Response(headers=headers)
        environ, limits = flask.request.environ, self._settings.webchat
        _bound_writes(environ, limits.heartbeat_s)
        after_seq = _after_seq()
        body = open_stream(
            environ,
            self._lookouts,
            lambda wake: self._begin(Subscription(key, f"{chat.name}/{visitor_id}", wake), after_seq),
            first=OPENING,
            last=COME_BACK,
            beat=BEAT,
            beat_s=limits.heartbeat_s,
            age_max_s=limits.stream_age_max_s,
        )
        # As it is: the server must recognise a stream that it holds.
        return flask.Response(body, headers=headers, direct_passthrough=True)

    def _begin(self, subscription: Subscription, after_seq: int | None) -> ChatSource:
        follower = Follower(
            self._transcripts,
            self._live,
            subscription,
            turns_max=self._settings.webchat.history_turns_max,
        )
        self._live.subscribe(subscription)
        try:
            # Before the first byte, so that a page that cannot be served now is told so by its status.
            follower.start(after_seq)
        except BaseException:
            self._live.unsubscribe(subscription)
            raise
        return ChatSource(self._live, subscription, follower, _drawn)

    def _account(self, name: str) -> WebchatAccount:
        account = self._settings.accounts.get(("webchat", name))
        if not isinstance(account, WebchatAccount):
            raise NotFound("there is no such chat", reason="unknown_account")
        return account


def _bound_writes(environ: WSGIEnvironment, seconds: float) -> None:
    """Let a write that its reader does not take for *seconds* end the stream.

    gunicorn's own workers write without any limit: a page that stops reading would hold its place, its greenlet and its
    buffers until TCP gives up.  Our own server bounds this itself, and hands out no socket.
    """
    connection = environ.get("gunicorn.socket")
    if connection is not None:
        connection.settimeout(seconds)


def _drawn(reply: Reply) -> Any:
    return render(reply, MESSAGE, {}).payloads[0]["parts"]


def _request() -> Request:
    return from_environ(flask.request.environ)


def _chat_name() -> str:
    name = flask.request.args.get("chat", "main")
    try:
        return msgspec.convert(name, ChatName)
    except msgspec.ValidationError:
        raise BadRequest(
            "expected a chat name of 1 to 64 letters, digits, _ and -", reason="chat_name"
        ) from None


def _after_seq() -> int | None:
    """Return the place from which the page goes on: the browser's own, or the one in the address."""
    for given in (flask.request.headers.get("Last-Event-ID", ""), flask.request.args.get("after", "")):
        if given.isascii() and given.isdigit() and len(given) <= _SEQ_DIGITS_MAX:
            return int(given)
    return None
