"""A response's head, and how its body is framed (RFC 9112, sections 6 and 7).  Pure but for what it remembers."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from gateway.domain.http import WITHOUT_CONTENT, Response, status_line

__all__ = ["BadResponse", "Framing", "encode_head", "encode_response"]

#: What one response may not say of itself, because it is the connection's (PEP 3333, "Other HTTP Features").
_HOP_BY_HOP = frozenset(
    {
        "keep-alive",
        "proxy-authenticate",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
#: Statuses whose answers have no content; a length would be that of another answer (RFC 9110, section 8.6).
_WITHOUT_CONTENT = frozenset({"204", "304"})
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
#: No control characters but a tab (RFC 9110, section 5.5).
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*\Z")
_STATUS = re.compile(r"[2-5][0-9]{2} [\t\x20-\x7e\x80-\xff]*\Z")

#: Header lines as bytes, by name and value, with what each of them is.  Most applications send the same few again and
#: again; the bound holds for those that do not.
_LINES: dict[tuple[str, str], tuple[bytes, str]] = {}
_LINES_MAX = 1_024
_STATUS_LINES: dict[str, bytes] = {}
#: The lines of status and content type, by these two.
_STARTS: dict[tuple[int, str], tuple[bytes, bytes]] = {}


class BadResponse(Exception):
    """The application answered with something that HTTP cannot carry."""


#: How the reader learns where the body ends: its length was announced, it comes in chunks (HTTP/1.1), it ends with the
#: connection, or there is none whatever the application gives (HEAD, 204, 304).
Framing = Literal["length", "chunked", "close", "absent"]


def encode_response(
    response: Response, *, date_line: bytes, is_head: bool, http_1_1: bool, keep_alive: bool
) -> tuple[bytes, bool]:
    """Return a whole response, and whether the connection goes on.

    :raises BadResponse: a status, name or value that HTTP cannot carry, or a field that is not the application's.
    """
    body, headers = response.body, response.headers
    has_content = response.status not in WITHOUT_CONTENT
    if http_1_1 and keep_alive and not headers and not is_head:
        # Nearly all answers, at half the price of the general case: 0.5 µs.
        kind = response.status, response.content_type
        status, content_type = _STARTS.get(kind) or _start(*kind)
        if has_content:
            whole = b"%b%b%bContent-Length: %d\r\n\r\n%b" % (status, date_line, content_type, len(body), body)
        else:
            whole = b"%b%b\r\n" % (status, date_line)
        return whole, True
    if has_content:
        headers = ("Content-Type", response.content_type), *headers
    head, framing, length, keep_alive = encode_head(
        status_line(response.status),
        headers,
        date_line=date_line,
        is_head=is_head,
        http_1_1=http_1_1,
        keep_alive=keep_alive,
        body_length=len(body),
    )
    if framing == "absent":
        return head, keep_alive
    if length != len(body):
        # What is too much would be read as another answer, and what is missing would be waited for.
        raise BadResponse(f"expected a Content-Length of {len(body)}, or none: the server counts")
    return head + body, keep_alive


def encode_head(  # noqa: C901  # one list of cases, on the way of each answer
    status: str,
    headers: Iterable[tuple[str, str]],
    *,
    date_line: bytes,
    is_head: bool,
    http_1_1: bool,
    keep_alive: bool,
    body_length: int | None,
) -> tuple[bytes, Framing, int, bool]:
    """Return the head of a response, how its body is framed, the length announced (or 0), and whether the connection
    goes on.  *body_length* is given when the whole body is at hand.

    :raises BadResponse: a status, name or value that HTTP cannot carry, or a field that is not the application's.
    """
    lines = [_STATUS_LINES.get(status) or _status_line(status), date_line]
    length: int | None = None
    absent = is_head or status[:3] in _WITHOUT_CONTENT
    for header in headers:
        line, kind = _LINES.get(header) or _line(header)
        if kind:
            if kind == "content-length":
                if length is not None:
                    raise BadResponse("two Content-Length fields")
                length = int(header[1])
            elif kind == "date":
                lines[1] = b""
            else:
                keep_alive = False
                continue
        lines.append(line)
    if body_length is not None and length is None and status[:3] not in _WITHOUT_CONTENT:
        length = body_length
        lines.append(b"Content-Length: %d\r\n" % length)
    elif length is not None and status[:3] == "204":
        # RFC 9110, section 8.6: not with 204, where some read it nevertheless, and wait.
        lines = [line for line in lines if line[:15].lower() != b"content-length:"]
    # RFC 9112, section 6.3, from the other side.
    framing: Framing
    if absent:
        framing = "absent"
    elif length is not None:
        framing = "length"
    elif http_1_1:
        framing = "chunked"
        lines.append(b"Transfer-Encoding: chunked\r\n")
    else:
        framing = "close"
    if framing == "close" or not keep_alive:
        keep_alive = False
        lines.append(b"Connection: close\r\n")
    elif not http_1_1:
        lines.append(b"Connection: keep-alive\r\n")
    lines.append(b"\r\n")
    return b"".join(lines), framing, length or 0, keep_alive


def _start(status: int, content_type: str) -> tuple[bytes, bytes]:
    line = b"" if status in WITHOUT_CONTENT else _line(("Content-Type", content_type))[0]
    lines = _status_line(status_line(status)), line
    if len(_STARTS) < _LINES_MAX:
        _STARTS[status, content_type] = lines
    return lines


def _status_line(status: str) -> bytes:
    if type(status) is not str or not _STATUS.match(status):
        raise BadResponse("expected a status like '200 OK', of 200 or above")
    line = b"HTTP/1.1 " + status.encode("latin-1") + b"\r\n"
    if len(_STATUS_LINES) < _LINES_MAX:
        _STATUS_LINES[status] = line
    return line


def _line(header: tuple[str, str]) -> tuple[bytes, str]:
    name, value = header
    if type(name) is not str or type(value) is not str:
        raise BadResponse("expected header names and values of type str")
    if not _TOKEN.match(name) or not _VALUE.match(value):
        raise BadResponse("expected a header field without control characters or line breaks")
    kind = name.lower()
    if kind in _HOP_BY_HOP or (kind == "connection" and value.lower() != "close"):
        raise BadResponse(f"{name} is the server's to send, not the application's")
    if kind == "content-length" and not (value.isascii() and value.isdigit()):
        raise BadResponse("expected a Content-Length of digits")
    if kind not in {"content-length", "connection", "date"}:
        kind = ""
    line = f"{name}: {value}\r\n".encode("latin-1"), kind
    if len(_LINES) < _LINES_MAX:
        _LINES[header] = line
    return line
