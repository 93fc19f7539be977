"""Hot routes, reached ahead of Flask.

A route is a function of plain values, registered once and reachable twice: through Flask (so ``flask routes`` shows it,
Flask's test client calls it, and any WSGI server runs it) and through the table here, which costs a fifth of Flask's
dispatch.  The table takes a request only when method and path are exactly those of a route; everything else (HEAD,
OPTIONS, 404, 405, doubled slashes, escapes) is Flask's, and so are its answers.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import flask
import gevent

from gateway import telemetry
from gateway.domain.errors import SwitchboardError, TooSlow, body_too_large
from gateway.domain.http import (
    WITHOUT_CONTENT,
    Request,
    Response,
    error_response,
    status_line,
    text_response,
)

if TYPE_CHECKING:
    from _typeshed.wsgi import InputStream

__all__ = ["Express", "Handler", "Route", "from_environ"]

#: Takes the request and the values of the path's placeholders, in order.
Handler = Callable[..., Response]

#: What a placeholder matches in the table.  Flask's own is wider; the difference goes to Flask.
_SEGMENT = "([A-Za-z0-9_.~-]+)"
_PLACEHOLDER = re.compile("<[a-z_]+>")


class Route:
    """One route: methods, a path with ``<placeholders>``, and the function behind it.

    Of several that fit a path the table takes the first, and Flask the most special: do not let routes overlap.

    :raises ValueError: a placeholder that is more than a name of lower-case letters.
    """

    def __init__(self, methods: tuple[str, ...], path: str, handler: Handler, *, name: str) -> None:
        self.methods = methods
        self.path = path
        self.handler = handler
        self.name = name
        fixed = _PLACEHOLDER.split(path)
        if any(sign in part for part in fixed for sign in "<>"):
            raise ValueError(f"expected placeholders like <name>, got {path}")
        self.placeholders = [name[1:-1] for name in _PLACEHOLDER.findall(path)]
        #: Matches the paths of this route; its groups are the values.
        self.pattern = re.compile(_SEGMENT.join(map(re.escape, fixed)))


class _Headers(Mapping[str, str]):
    """A WSGI environ's headers by lower-case name, looked up one by one: most requests are asked for three."""

    __slots__ = ("_environ",)

    def __init__(self, environ: WSGIEnvironment) -> None:
        self._environ = environ

    def __getitem__(self, name: str) -> str:
        key = name.upper().replace("-", "_")
        value = self._environ.get("HTTP_" + key)
        if value is None and key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            value = self._environ.get(key)
        if value is None:
            raise KeyError(name)
        return str(value)

    def __iter__(self) -> Iterator[str]:
        for key in self._environ:
            if key.startswith("HTTP_"):
                yield key[5:].lower().replace("_", "-")
            elif key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                yield key.lower().replace("_", "-")

    def __len__(self) -> int:
        return sum(1 for _ in self)


class Express:
    """The route table and the WSGI application in front of Flask."""

    def __init__(
        self, app: flask.Flask, routes: Iterable[Route], *, body_bytes_max: int, body_timeout_s: float
    ) -> None:
        self._flask: WSGIApplication = app.wsgi_app
        self._body_bytes_max = body_bytes_max
        self._body_timeout_s = body_timeout_s
        self._exact: dict[tuple[str, str], Route] = {}
        #: Routes with placeholders, by method: few, and tried one by one.
        self._patterns: dict[str, list[Route]] = {}
        self.routes = tuple(routes)
        for route in self.routes:
            self._register(app, route)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        response = self.direct(environ)
        if response is None:
            return self._flask(environ, start_response)
        start_response(status_line(response.status), [*_content_headers(response), *response.headers])
        if response.written is not None:
            return _Told(response.body, response.written)
        return (response.body,)

    def direct(self, environ: WSGIEnvironment) -> Response | None:
        """Return the answer of a route in the table, or None: what is asked is Flask's to answer.

        Of *environ* it needs what the request says itself (method, path, query, header fields), and its body.
        """
        route = self._exact.get((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        values: Sequence[str] = ()
        if route is None:
            route, values = self._match(environ["REQUEST_METHOD"], environ["PATH_INFO"])
        # A request to speak another protocol is Flask's to refuse, as it does for all of its routes.
        if route is None or "HTTP_UPGRADE" in environ:
            return None
        return self._answer(route, environ, values)

    def _match(self, method: str, path: str) -> tuple[Route | None, Sequence[str]]:
        """Return the route with placeholders that *path* fits, and their values."""
        for route in self._patterns.get(method, ()):
            match = route.pattern.fullmatch(path)
            if match is not None:
                return route, match.groups()
        return None, ()

    def _register(self, app: flask.Flask, route: Route) -> None:
        for method in route.methods:
            if route.placeholders:
                self._patterns.setdefault(method, []).append(route)
            else:
                self._exact[method, route.path] = route

        def view(**values: str) -> flask.Response:
            response = self._answer(
                route, flask.request.environ, [values[name] for name in route.placeholders]
            )
            # An iterable, so that whoever wants to know learns whether the body was written.
            body = response.body if response.written is None else _Told(response.body, response.written)
            answer = flask.Response(body, response.status)
            answer.headers.clear()
            for header in (*_content_headers(response), *response.headers):
                answer.headers.add(*header)
            return answer

        app.add_url_rule(route.path, route.name, view, methods=list(route.methods))

    def _answer(self, route: Route, environ: WSGIEnvironment, values: Sequence[str]) -> Response:
        try:
            request = from_environ(environ, self._body(environ))
            # Without values: a star costs a call through C, and its stack for as long as the handler waits.
            return route.handler(request, *values) if values else route.handler(request)
        except SwitchboardError as error:
            return error_response(error)
        except Exception as error:
            telemetry.event(
                "request.crashed",
                route=route.name,
                reason=type(error).__name__,
                detail=telemetry.trace(error),
            )
            return text_response("Internal Server Error\n", 500)

    def _body(self, environ: WSGIEnvironment) -> bytes:
        """Return the request's body.

        :raises TooLarge: it has more bytes than are allowed.
        :raises TooSlow: it did not come in time.
        """
        body: bytes | None = environ.get("gateway.body")
        if body is None:
            return _read_body(environ, self._body_bytes_max, self._body_timeout_s)
        # Our own server has read it whole and in time before it called, so there is nothing to wait for.  An echo of
        # 242 bytes costs 2.1 µs on this way, and 4.0 with a timeout and a stream.
        if len(body) > self._body_bytes_max:
            raise body_too_large(self._body_bytes_max, f"{len(body)} bytes")
        return body


class _Told:
    """A body that tells whether it was handed to the socket whole: the server asks for more only after writing."""

    def __init__(self, body: bytes, written: Callable[[bool], None]) -> None:
        self._body = body
        self._written: Callable[[bool], None] | None = written
        self._given = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        if not self._given:
            self._given = True
            return self._body
        self._tell(True)
        raise StopIteration

    def close(self) -> None:
        """Called by the server in any case (PEP 3333), after the last byte or after a failure."""
        self._tell(False)

    def _tell(self, whole: bool) -> None:
        written, self._written = self._written, None
        if written is not None:
            written(whole)


def from_environ(environ: WSGIEnvironment, body: bytes = b"") -> Request:
    """Return the request as a plain value; its body is *body*, and is not read here."""
    return Request(
        environ["REQUEST_METHOD"],
        environ["PATH_INFO"],
        environ.get("QUERY_STRING", ""),
        _Headers(environ),
        body,
    )


def _content_headers(response: Response) -> tuple[tuple[str, str], ...]:
    if response.status in WITHOUT_CONTENT:
        return ()
    return ("Content-Type", response.content_type), ("Content-Length", str(len(response.body)))


def _read_body(environ: WSGIEnvironment, bytes_max: int, timeout_s: float) -> bytes:
    """Read the request's body, from a server that hands it over as a stream.

    :raises TooLarge: it has more than *bytes_max* bytes; it is not read further.
    :raises TooSlow: it had not come whole after *timeout_s*.
    """
    # gunicorn's gevent worker bounds the time of a head, and of nothing behind it.
    patience = gevent.Timeout.start_new(timeout_s)
    try:
        return _read(environ, bytes_max)
    except gevent.Timeout as error:
        if error is not patience:
            raise
        raise TooSlow(
            f"expected the whole body within {timeout_s:g} s (server.body_timeout_s)", reason="body_too_slow"
        ) from None
    finally:
        patience.close()


def _read(environ: WSGIEnvironment, bytes_max: int) -> bytes:
    length = environ.get("CONTENT_LENGTH") or ""
    stream: InputStream = environ["wsgi.input"]
    if length:
        # The server has checked that it is a number (RFC 9112, section 6.3).
        if int(length) > bytes_max:
            raise body_too_large(bytes_max, f"{length} bytes")
        return stream.read(int(length))
    if environ.get("wsgi.input_terminated") or environ.get("HTTP_TRANSFER_ENCODING"):
        body = stream.read(bytes_max + 1)
        if len(body) > bytes_max:
            raise body_too_large(bytes_max, "more")
        return body
    return b""


