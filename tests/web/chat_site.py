"""The chat pages on a real server and a real ledger, for tests of the web layer."""

from __future__ import annotations

import _socket
import http.client
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import flask
import gevent
import msgspec
from gevent.pywsgi import WSGIServer

from gateway.channels.webchat.cookie import issue
from gateway.conversations.live import Live
from gateway.conversations.transcripts import Transcripts
from gateway.server.forwarded import TrustedPeers
from gateway.server.server import Server
from gateway.settings.accounts import WebchatAccount
from gateway.settings.secret import Secret
from gateway.settings.server import ServerSettings
from gateway.settings.settings import Settings
from gateway.settings.store import StoreSettings
from gateway.settings.webchat import WebchatSettings
from gateway.store.postgres import Database
from gateway.web.api.problem import problems_below
from gateway.web.chat import chat_pages
from gateway.web.front import front_page, nowhere
from tests.support.conversation import Conversation
from tests.web.stream_reader import StreamReader

__all__ = ["VISITOR", "ServedBy", "Site", "site"]

#: Our own server, or one that knows nothing of held streams.
ServedBy = Literal["ours", "pywsgi"]
VISITOR = "v" * 24


def account(name: str, **changes: Any) -> WebchatAccount:
    return msgspec.structs.replace(
        WebchatAccount(
            channel="webchat",
            name=name,
            assistant="bartender",
            title="The <Bartender>",
            cookie_secrets=(Secret(f"a secret of {name}"),),
        ),
        **changes,
    )


class Site:
    """A running server with the accounts ``bartender`` (listed) and ``tasted``, and one without a secret, ``bare``."""

    def __init__(self, database_url: str, webchat: WebchatSettings, served_by: ServedBy) -> None:
        accounts = [account("bartender", listed=True), account("tasted"), account("bare", cookie_secrets=())]
        self.settings = Settings(
            home=Path("unused"),
            accounts={("webchat", each.name): each for each in accounts},
            assistants={},
            store=StoreSettings(database_url=Secret(database_url)),
            webchat=webchat,
        )
        self.database = Database(self.settings.store)
        transcripts = Transcripts(self.database, self.settings.store)
        self.live = Live(transcripts, webchat, poll_s=0.05)
        app = flask.Flask("gateway.web")
        app.register_blueprint(front_page(self.settings))
        app.register_blueprint(chat_pages(self.settings, self.live, transcripts))
        problems_below(app, "/api/v1/", elsewhere=nowhere)
        #: Where streams are held without a greenlet; None under gevent's own server, which knows no such thing.
        self.server: Server | None = None
        self._plain: WSGIServer | None = None
        if served_by == "ours":
            self.server = Server(app, ServerSettings(), trusted=TrustedPeers(""))
            listener = _socket.socket()
            listener.bind(("127.0.0.1", 0))
            listener.listen()
            self.port: int = listener.getsockname()[1]
            self.server.listen(listener)
        else:
            self._plain = WSGIServer(("127.0.0.1", 0), app, log=None, error_log=None)
            self._plain.start()
            self.port = self._plain.server_port
        self._polling = gevent.spawn(self.live.poll_forever)
        self._readers: list[StreamReader] = []

    def cookie(self, visitor_id: str = VISITOR, name: str = "bartender") -> dict[str, str]:
        """Return the headers of a visitor."""
        chat = self.settings.accounts["webchat", name]
        assert isinstance(chat, WebchatAccount)
        return {"Cookie": issue(visitor_id, chat, time.time()).partition(";")[0]}

    def get(
        self, path: str, headers: Mapping[str, str] | None = None, method: str = "GET"
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """Return the answer to one request, and its body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request(method, path, headers=dict(headers or {}))
        response = connection.getresponse()
        body = response.read()
        connection.close()
        return response, body

    def stream(
        self, *, headers: dict[str, str] | None = None, after: int | None = None, chat: str = "main"
    ) -> StreamReader:
        """Open a stream of The Bartender's; *after* is the browser's Last-Event-ID."""
        place = {} if after is None else {"Last-Event-ID": str(after)}
        reader = StreamReader(
            self.port, f"/chat/bartender/events?chat={chat}", {**(headers or self.cookie()), **place}
        )
        self._readers.append(reader)
        return reader

    def talk(self, key: str = f"{VISITOR}:main", *, hinted: bool = True) -> Conversation:
        """Return a conversation; not *hinted*: another process's, of which only the ledger tells."""
        if not hinted:
            return Conversation(self.database, key)
        return Conversation(
            self.database, key, on_accepted=self.live.accepted, on_settled=self.live.settled
        )

    def close(self) -> None:
        self.live.stop(time.monotonic() + 5)
        if self.server is not None:
            self.server.stop()
        if self._plain is not None:
            self._plain.stop(timeout=1)
        for reader in self._readers:
            reader.close()
        self._polling.kill()
        self.database.close()


@contextmanager
def site(database_url: str, served_by: ServedBy = "ours", **webchat: Any) -> Iterator[Site]:
    """Run the chat pages with these web chat settings."""
    running = Site(database_url, WebchatSettings(**webchat), served_by)
    try:
        yield running
    finally:
        running.close()
