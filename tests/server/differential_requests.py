"""The differential test's requests, by name, and where our worker and gunicorn's gevent worker differ over them."""

from __future__ import annotations

from typing import Any, NamedTuple

__all__ = ["EXPLAINED", "REQUESTS", "Difference"]


class Difference(NamedTuple):
    """What each side says: statuses, ``environ``, ``last`` (the request behind it is answered too); of two environs in
    the same place only what the other one has not."""

    ours: list[Any]
    theirs: list[Any]
    reason: str


def get(
    target: bytes = b"/",
    fields: bytes = b"Host: a\r\n",
    *,
    method: bytes = b"GET",
    version: bytes = b"HTTP/1.1",
) -> bytes:
    return b"%b %b %b\r\n%b\r\n" % (method, target, version, fields)


def post(fields: bytes, body: bytes = b"", *, version: bytes = b"HTTP/1.1") -> bytes:
    return get(fields=b"Host: a\r\n" + fields, method=b"POST", version=version) + body


def field(line: bytes) -> bytes:
    return get(fields=b"Host: a\r\n%b\r\n" % line)


def chunked(body: bytes) -> bytes:
    return post(b"Transfer-Encoding: chunked\r\n", body)


REQUESTS: dict[str, bytes] = {
    # Request lines and methods
    "plain": get(),
    "empty lines before it": b"\r\n\r\n" + get(),
    "bare line feeds": b"GET / HTTP/1.1\nHost: a\n\n",
    "two spaces": get().replace(b"GET /", b"GET  /"),
    "a tab": get().replace(b"GET /", b"GET\t/"),
    "a space at the end of the line": get().replace(b"1.1\r", b"1.1 \r"),
    "put": get(method=b"PUT"),
    "head": get(method=b"HEAD"),
    "options": get(method=b"OPTIONS"),
    "trace": get(method=b"TRACE"),
    "a method of WebDAV": get(method=b"PROPFIND"),
    "an unknown method": get(method=b"BREW"),
    "a lower-case method": get(method=b"get"),
    "a method of one letter": get(method=b"G"),
    "http 1.0": get(version=b"HTTP/1.0"),
    "http 1.0 without host": get(fields=b"", version=b"HTTP/1.0"),
    "http 1.0 kept alive": get(fields=b"Connection: keep-alive\r\n", version=b"HTTP/1.0"),
    "http 1.2": get(version=b"HTTP/1.2"),
    "http 2.0": get(version=b"HTTP/2.0"),
    "http 0.9": b"GET /\r\n\r\n",
    "rtsp": get(version=b"RTSP/1.0"),
    "preface of http 2": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "garbage": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    # Targets
    "a query": get(b"/a/b?c=d&e"),
    "an escaped path": get(b"/a%2Fb%20%E2%82%AC%00"),
    "a broken escape": get(b"/100%/%zz"),
    "two slashes": get(b"//a//b"),
    "dots": get(b"/a/../b"),
    "a semicolon": get(b"/a;b=c"),
    "a fragment": get(b"/a#b"),
    "a target in UTF-8": get(b"/\xe2\x82\xac"),
    "a control character": get(b"/a\x01b"),
    "an absolute form": get(b"http://other:81/a?b"),
    "an absolute form without a path": get(b"http://other"),
    "an absolute form with a user": get(b"http://user@other/"),
    "another scheme": get(b"ftp://other/"),
    "no slash": get(b"a"),
    "options of everything": get(b"*", method=b"OPTIONS"),
    "everything": get(b"*"),
    "connect": get(b"a:80", method=b"CONNECT"),
    "a long target": get(b"/" + b"a" * 5_000),
    "a very long target": get(b"/" + b"a" * 9_000),
    # Host
    "no host": get(fields=b""),
    "two hosts": get(fields=b"Host: a\r\nHost: b\r\n"),
    "an empty host": get(fields=b"Host:\r\n"),
    "a host that is none": get(fields=b"Host: a/b@c d\r\n"),
    # Fields
    "white space around a value": field(b"A:\t b \t"),
    "latin-1": field(b"A: caf\xe9"),
    "the same field twice": field(b"A: b\r\nA: c"),
    "two cookies": field(b"Cookie: a=b\r\nCookie: c=d"),
    "two authorizations": field(b"Authorization: a\r\nAuthorization: b"),
    "a space before the colon": field(b"A : b"),
    "a space before the name": field(b" A: b"),
    "a folded line": field(b"A: b\r\n c"),
    "no colon": field(b"A"),
    "no name": field(b": b"),
    "an odd name": field(b"A(b): c"),
    "a null": field(b"A: b\x00c"),
    "another control character": field(b"A: b\x01c"),
    "a lone carriage return": field(b"A: b\rc"),
    "a name with an underscore": field(b"X_A: b"),
    "forwarded by a trusted": field(b"X-Forwarded-For: 1.2.3.4"),
    "https by a trusted": field(b"X-Forwarded-Proto: https"),
    "many fields": field(b"\r\n".join([b"A: b"] * 150)),
    "a large field": field(b"A: " + b"b" * 40_000),
    "a proxy field": field(b"Proxy: evil"),
    # Bodies
    "a length": post(b"Content-Length: 3\r\n", b"abc"),
    "a length with zeros": post(b"Content-Length: 003\r\n", b"abc"),
    "two lengths alike": post(b"Content-Length: 3\r\nContent-Length: 3\r\n", b"abc"),
    "two lengths": post(b"Content-Length: 3\r\nContent-Length: 4\r\n", b"abc"),
    "a list of lengths": post(b"Content-Length: 3, 3\r\n", b"abc"),
    "a signed length": post(b"Content-Length: +3\r\n", b"abc"),
    "a length that is none": post(b"Content-Length: a\r\n", b"abc"),
    "a body with get": get(fields=b"Host: a\r\nContent-Length: 3\r\n") + b"abc",
    "chunks": chunked(b"3\r\nabc\r\n0\r\n\r\n"),
    "chunks with an extension": chunked(b"3;a=b\r\nabc\r\n0\r\n\r\n"),
    "chunks with a trailer": chunked(b"3\r\nabc\r\n0\r\nA: b\r\n\r\n"),
    "a chunk with bare line feeds": chunked(b"3\nabc\n0\n\n"),
    "a chunk with a signed size": chunked(b"+3\r\nabc\r\n0\r\n\r\n"),
    "a chunk that is longer than it says": chunked(b"3\r\nabcd\r\n0\r\n\r\n"),
    "a chunk without a size": chunked(b"\r\nabc\r\n0\r\n\r\n"),
    "a length and chunks": post(b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    "chunks in HTTP/1.0": post(b"Transfer-Encoding: chunked\r\n", b"0\r\n\r\n", version=b"HTTP/1.0"),
    "gzip, chunked": post(b"Transfer-Encoding: gzip, chunked\r\n", b"0\r\n\r\n"),
    "identity": post(b"Transfer-Encoding: identity\r\n"),
    "an unknown coding": post(b"Transfer-Encoding: x\r\n"),
    "chunked twice": post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", b"0\r\n\r\n"),
    # Expectations and upgrades
    "100-continue, and the body": post(b"Expect: 100-continue\r\nContent-Length: 3\r\n", b"abc"),
    "another expectation": post(b"Expect: x\r\nContent-Length: 3\r\n", b"abc"),
    "an upgrade": field(b"Connection: upgrade\r\nUpgrade: websocket"),
    "an upgrade with a body": post(b"Connection: upgrade\r\nUpgrade: h2c\r\nContent-Length: 3\r\n", b"abc"),
    "close": field(b"Connection: close"),
}

_CHUNKS: tuple[list[Any], list[Any], str] = (
    [{"CONTENT_LENGTH": "3"}, "last"],
    [{"HTTP_TRANSFER_ENCODING": "chunked"}, "last"],
    "RFC 9112, 7.1.3: decoded, it is a body of known length, and an application that trusts CONTENT_LENGTH reads it",
)

EXPLAINED: dict[str, Difference] = {
    "empty lines before it": Difference(
        ["environ", "last"],
        [400],
        "RFC 9112, 2.2: a server SHOULD ignore at least one, which old clients send behind a body",
    ),
    "two spaces": Difference(
        [505], [400], "both refuse; ours compares the whole line with a version it speaks"
    ),
    "http 2.0": Difference([505], [400], "both refuse; RFC 9110, 15.6.6, has a status for it"),
    "http 0.9": Difference([505], [400], "both refuse, as above"),
    "rtsp": Difference([505], [400], "both refuse, as above"),
    "http 1.2": Difference([400], ["HTTP/1.2"], "theirs answers with a version that does not exist"),
    "an unknown method": Difference(
        [400],
        ["environ", "last"],
        "llhttp knows the registered methods; no route of anybody's has another one",
    ),
    "a fragment": Difference(
        [400], ["environ", "last"], "RFC 9112, 3.2: a target has none; theirs cuts it off"
    ),
    "a proxy field": Difference(
        [{}, "last"],
        [{"HTTP_PROXY": "evil"}, "last"],
        "CVE-2016-5385: programs take the variable for the proxy of their own requests",
    ),
    "an absolute form": Difference(
        [{"HTTP_HOST": "other:81"}, "last"],
        [{"HTTP_HOST": "a"}, "last"],
        "RFC 9112, 3.2.2: the target's authority MUST be taken for Host",
    ),
    "an absolute form without a path": Difference(
        [{"HTTP_HOST": "other", "PATH_INFO": "/"}, "last"],
        [{"HTTP_HOST": "a", "PATH_INFO": ""}, "last"],
        "as above; and RFC 9110, 4.2.3: an empty path is a slash",
    ),
    "an absolute form with a user": Difference(
        [400],
        ["environ", "last"],
        "RFC 9110, 4.2.4: user information is an error, to hide where a reference leads",
    ),
    "another scheme": Difference([400], ["environ", "last"], "RFC 9110, 7.4: not a resource of this server"),
    "connect": Difference(
        [400], ["environ"], "there is no tunnel; theirs hands it to the application and closes"
    ),
    "a long target": Difference(
        ["environ", "last"],
        [414],
        "bounds: server.request_line_bytes_max, and their limit_request_line of 4,094",
    ),
    "no host": Difference([400], ["environ", "last"], "RFC 9112, 3.2: MUST be answered 400"),
    "a host that is none": Difference([400], ["environ", "last"], "RFC 9112, 3.2: MUST be answered 400"),
    "the same field twice": Difference(
        [{"HTTP_A": "b, c"}, "last"],
        [{"HTTP_A": "b,c"}, "last"],
        "RFC 9110, 5.3: both mean the same; a comma and a space",
    ),
    "two cookies": Difference(
        [{"HTTP_COOKIE": "a=b; c=d"}, "last"],
        [{"HTTP_COOKIE": "a=b,c=d"}, "last"],
        "RFC 6265, 5.4: a comma may be within a cookie's value, so theirs is one cookie with a strange value",
    ),
    "two authorizations": Difference(
        [400],
        ["environ", "last"],
        "it may stand once; whoever takes the first and whoever takes the last would differ",
    ),
    "forwarded by a trusted": Difference(
        [{"REMOTE_ADDR": "1.2.3.4"}, "last"],
        [{"REMOTE_ADDR": "127.0.0.1"}, "last"],
        "forwarded.py: from a trusted peer REMOTE_ADDR is the caller; theirs takes only the scheme from such fields",
    ),
    "chunks": Difference(*_CHUNKS),
    "chunks with an extension": Difference(*_CHUNKS),
    "chunks with a trailer": Difference(*_CHUNKS),
    "gzip, chunked": Difference(
        [501], ["environ"], "nobody has undone the gzip; RFC 9112, 6.1, has a status for it"
    ),
    "an unknown coding": Difference(
        [400], [501], "both refuse; RFC 9112, 6.3: MUST be 400 if it does not end with chunked"
    ),
    "100-continue, and the body": Difference(
        ["environ", "last"],
        [100, "environ", "last"],
        "RFC 9110, 10.1.1: may be left out when the body is coming already; one write less",
    ),
    "an upgrade": Difference(
        [{}],
        [{}, "last"],
        "llhttp leaves what follows to the other protocol, so ours closes behind its answer",
    ),
    "an upgrade with a body": Difference(
        [400], ["environ", "last"], "as above: llhttp would take the body for the other protocol's bytes"
    ),
}
