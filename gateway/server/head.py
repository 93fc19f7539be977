"""A request's head, once it has been split into its parts: what is refused, and the WSGI environ made of it.

llhttp (the parser in httptools) splits; it lets pass what must not.  The rule here is RFC 9112's: whatever two parsers
could read differently is answered 400 and the connection closed, because what follows it cannot be trusted to be a
request at all.  Pure: bytes in, an environ or an error out.

- Request line: HTTP/1.0 or 1.1 and nothing else (RTSP, ICE, 0.9 and 2.0 pass llhttp), single spaces (RFC 9112, 3).
- Target: origin form; absolute form, whose authority then stands for Host (3.2.2); ``*`` with OPTIONS only; no CONNECT.
  No fragment.
- Host: exactly one with HTTP/1.1, at most one with 1.0, and a plain one (3.2).
- Transfer-Encoding: ``chunked`` and nothing else, and never with HTTP/1.0 (6.1).  Content-Length is llhttp's: it
  refuses a second one, a sign, a list, and one beside Transfer-Encoding.
- An upgrade with a body: llhttp takes the body for the other protocol's bytes.
- Expect: ``100-continue`` or 417 (RFC 9110, 10.1.1).
- A field that came twice is joined with a comma (RFC 9110, 5.3), or with ``;`` if it is Cookie, unless it may stand
  only once.
- Proxy is dropped: as HTTP_PROXY it would be taken for this process's own proxy (CVE-2016-5385 and its kin).
- A name with an underscore becomes the same variable as one with a hyphen.  It is dropped, as gunicorn and nginx do.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote_to_bytes

from gateway.domain.errors import BadRequest

__all__ = ["FORWARDED", "SINGLE", "HeadTooLarge", "NotImplementedHere", "environ_key", "finish_head", "http_version"]

#: Fields that may stand once: two could be read as either.  (Content-Length: llhttp refuses the second.)
SINGLE = frozenset(
    {
        "CONTENT_TYPE",
        "HTTP_AUTHORIZATION",
        "HTTP_EXPECT",
        "HTTP_HOST",
        "HTTP_MAX_FORWARDS",
        "HTTP_ORIGIN",
        "HTTP_TRANSFER_ENCODING",
        "HTTP_UPGRADE",
    }
)

#: Beginnings of the variables that only a trusted peer may give (``forwarded.py``).
FORWARDED = ("HTTP_X_FORWARDED", "HTTP_FORWARDED", "HTTP_X_REAL_IP")

_WITHOUT_PREFIX = {"CONTENT_TYPE", "CONTENT_LENGTH"}
#: RFC 9110, 7.2 and RFC 3986, 3.2.2, without user information: a name, an IPv4 address or a bracketed one, and a port.
_HOST = re.compile(r"(?:[A-Za-z0-9._~!$&'()*+,;=%-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?\Z")
#: Good values of Host that came before: nearly all requests have one of a few.
_HOSTS: set[object] = set()
_HOSTS_MAX = 64
_ABSOLUTE = re.compile(r"https?://([^/?]*)([^?]*)(?:\?(.*))?\Z", re.IGNORECASE)


_VERSIONS = {"1.0", "1.1"}


class HeadTooLarge(BadRequest):
    """More header fields, or larger ones, than a named bound (RFC 6585, section 5)."""

    status = 431


class LineTooLong(BadRequest):
    """A longer target than a named bound."""

    status = 414


class ExpectationFailed(BadRequest):
    """An expectation that nobody here can meet."""

    status = 417


class NotImplementedHere(BadRequest):
    """A method or a coding that this server does not speak."""

    status = 501


class VersionNotSupported(BadRequest):
    """Neither HTTP/1.0 nor HTTP/1.1."""

    status = 505


def environ_key(name: bytes) -> str:
    """Return the environ's key for the header *name*, or an empty text for a name that is dropped."""
    if b"_" in name or name.lower() == b"proxy":
        return ""
    key = name.decode("ascii").upper().replace("-", "_")
    return key if key in _WITHOUT_PREFIX else "HTTP_" + key


def http_version(line: bytes, number: str, raw: bytes, *, ours: bool) -> str:
    """Return the protocol of the request whose line begins with *line* (method, space, target) in *raw*.

    *number* is what llhttp has read, which does not tell HTTP/1.0 from RTSP/1.0, nor one space from two.  *raw* is what
    arrived, from the read in which this request began; *ours*: it begins with this request.  Where another one before
    it ends, llhttp does not tell.  So a line that is wrong in these ways passes behind one that is right and else the
    same; it means the same, too.

    :raises BadRequest: it is none that is spoken here, or there is more than one space in the line.
    """
    version = "HTTP/" + number
    whole = b"%b %b\r\n" % (line, version.encode())
    if number in _VERSIONS and (raw.lstrip(b"\r\n").startswith(whole) if ours else whole in raw):
        return version
    raise VersionNotSupported(
        "expected METHOD target HTTP/1.1 (or 1.0), with single spaces", reason="protocol"
    )


def finish_head(environ: dict[str, Any], method: str, target: str, http_1_1: bool) -> None:
    """Check the fields in *environ*, which has nothing else yet, against one another; add what the request line says.

    :raises BadRequest: the head could be read in two ways, or asks for what is not spoken here.
    """
    _check_host(environ.get("HTTP_HOST"), http_1_1)
    if "HTTP_TRANSFER_ENCODING" in environ:
        _check_transfer_encoding(environ["HTTP_TRANSFER_ENCODING"].lower(), http_1_1)
    if "HTTP_EXPECT" in environ and environ["HTTP_EXPECT"].lower() != "100-continue":
        raise ExpectationFailed("expected no Expect but 100-continue", reason="expect")
    environ["REQUEST_METHOD"] = method
    if target[0] != "/":
        target = _from_other_form(environ, method, target)
    path, _, query = target.partition("?")
    environ["QUERY_STRING"] = query
    # PEP 3333: the path's bytes, each as one character.
    environ["PATH_INFO"] = unquote_to_bytes(path).decode("latin-1") if "%" in path else path
    if "#" in target:
        raise BadRequest("expected a target without a fragment", reason="target")


def _check_host(host: str | None, http_1_1: bool) -> None:
    if host is None:
        if http_1_1:
            raise BadRequest("expected one Host field (RFC 9112, section 3.2), got none", reason="host")
    elif host not in _HOSTS:
        if not _HOST.match(host):
            raise BadRequest("expected a Host field with a name and perhaps a port", reason="host")
        if len(_HOSTS) < _HOSTS_MAX:
            _HOSTS.add(host)


def _check_transfer_encoding(codings: str, http_1_1: bool) -> None:
    if not http_1_1:
        raise BadRequest("expected no Transfer-Encoding with HTTP/1.0", reason="transfer_encoding")
    if codings == "chunked":
        return
    if codings.rpartition(",")[2].strip(" \t") != "chunked":
        # RFC 9112, section 6.3: nobody can say where its body ends.
        raise BadRequest("expected a Transfer-Encoding that ends with chunked", reason="transfer_encoding")
    raise NotImplementedHere("expected no Transfer-Encoding but chunked", reason="transfer_encoding")


def _from_other_form(environ: dict[str, Any], method: str, target: str) -> str:
    """Return the origin form of a target in another form (RFC 9112, section 3.2)."""
    if target == "*" and method == "OPTIONS":
        return target
    absolute = _ABSOLUTE.match(target)
    if absolute is None or not _HOST.match(absolute[1]) or not absolute[1]:
        raise BadRequest("expected a target that begins with a slash, or http://host/", reason="target")
    environ["HTTP_HOST"] = absolute[1]
    return (absolute[2] or "/") + ("" if absolute[3] is None else "?" + absolute[3])
