"""The address of a Redis that is several servers: a cluster, or a master that sentinels watch.

::

    redis+cluster://user:password@10.0.0.1:6379,10.0.0.2:6379
    redis+sentinel://user:password@10.0.0.1:26379,10.0.0.2:26379/service/2

``rediss+…`` speaks TLS with every one of them.  The servers named are those that are asked first; the others are learnt
from them.  Options stand behind a ``?`` under the names that redis-py gives them (``ssl_ca_certs``, …); sentinels with
a password of their own get it as ``sentinel_password``.  A password is percent-encoded, as in every URL.

Pure: text in, a value or a ``ValueError`` out, whose text never repeats what was given, since that may be a secret.
Addresses of one server (``redis://``, ``rediss://``, ``unix://``) are redis-py's to read.
"""

from __future__ import annotations

import re
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from gateway.settings.problems import did_you_mean
from gateway.settings.secret import Secret

__all__ = ["REDIS_SCHEMES", "RedisAddress", "redis_address"]

#: By scheme, who is asked, and whether by TLS.
_SEVERAL: dict[str, tuple[Literal["cluster", "sentinel"], bool]] = {
    "redis+cluster": ("cluster", False),
    "rediss+cluster": ("cluster", True),
    "redis+sentinel": ("sentinel", False),
    "rediss+sentinel": ("sentinel", True),
}
REDIS_SCHEMES = ("redis://", "rediss://", "unix://", *(f"{scheme}://" for scheme in _SEVERAL))
_PORTS = {"cluster": 6379, "sentinel": 26379}
#: Servers that an address may name.  The others are learnt from them.
_NODES_MAX = 16
_TLS_OPTIONS = ("ssl_ca_certs", "ssl_ca_path", "ssl_certfile", "ssl_keyfile", "ssl_cert_reqs", "ssl_check_hostname")
_SENTINEL_OPTIONS = ("sentinel_username", "sentinel_password")
#: A name or an IPv4 address, or an IPv6 address in brackets; and a port.
_NODE = re.compile(r"(?:\[(?P<six>[0-9a-fA-F:.]+)\]|(?P<host>[A-Za-z0-9._-]+))(?::(?P<port>[0-9]{1,5}))?")
_BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


class RedisAddress(msgspec.Struct, frozen=True, kw_only=True):
    """Where several servers are, and how to be let in."""

    kind: Literal["cluster", "sentinel"]
    #: Those who are asked first.
    nodes: tuple[tuple[str, int], ...]
    tls: bool = False
    username: str = ""
    password: Secret = Secret("")
    #: What the sentinels call the master.
    service: str = ""
    database: int = 0
    sentinel_username: str = ""
    sentinel_password: Secret = Secret("")
    #: As redis-py takes them.
    tls_options: dict[str, str | bool] = {}


def redis_address(url: str) -> RedisAddress | None:
    """Return what *url* says, or None: it is one server's.

    :raises ValueError: it is neither.
    """
    scheme, separator, rest = url.partition("://")
    if not separator or f"{scheme}://" not in REDIS_SCHEMES:
        raise ValueError(f"expected an address with {' or '.join(REDIS_SCHEMES)}")
    rest, _, query = rest.partition("?")
    servers, _, path = rest.partition("/")
    if scheme not in _SEVERAL:
        if "," in servers.rpartition("@")[2] and scheme != "unix":
            raise ValueError("several servers are a redis+cluster:// or a redis+sentinel://")
        _check_one(scheme, url)
        return None
    kind, tls = _SEVERAL[scheme]
    credentials, _, servers = servers.rpartition("@")
    username, _, password = credentials.partition(":")
    service, database = _service(kind, path)
    options = _options(kind, query, tls=tls)
    return RedisAddress(
        kind=kind,
        nodes=_nodes(servers, _PORTS[kind]),
        tls=tls,
        username=unquote(username),
        password=Secret(unquote(password)),
        service=service,
        database=database,
        sentinel_username=options.pop("sentinel_username", ""),
        sentinel_password=Secret(options.pop("sentinel_password", "")),
        tls_options={name: _tls_option(name, text) for name, text in options.items()},
    )


def _check_one(scheme: str, url: str) -> None:
    """Check what redis-py would fail at when it connects, with an error that quotes a part of a password."""
    try:
        parts = urlsplit(url)
        has_host = not parts.netloc or (parts.hostname is not None and parts.port != 0)
        # An @ behind the host is that of a password in which one of / ? # stands for itself.
        fits = scheme == "unix" or (has_host and "@" not in parts.path + parts.query + parts.fragment)
    except ValueError:
        fits = False
    if not fits:
        raise ValueError(f"expected {scheme}://:PASSWORD@HOST:PORT/DATABASE, special characters percent-encoded")


def _nodes(servers: str, port: int) -> tuple[tuple[str, int], ...]:
    texts = servers.split(",")
    if len(texts) > _NODES_MAX:
        raise ValueError(f"expected at most {_NODES_MAX} servers, got {len(texts)}: the others are learnt from them")
    nodes = []
    for number, text in enumerate(texts, 1):
        found = _NODE.fullmatch(text)
        if found is None or not 0 < int(found["port"] or port) < 65536:
            raise ValueError(f"server {number} of {len(texts)} is not host:port")
        nodes.append((found["six"] or found["host"], int(found["port"] or port)))
    return tuple(nodes)


def _service(kind: str, path: str) -> tuple[str, int]:
    if kind == "cluster":
        if path not in ("", "0"):
            raise ValueError("a cluster has database 0 alone, and no name: expected nothing behind its servers")
        return "", 0
    service, _, database = path.partition("/")
    if not service:
        raise ValueError("expected the sentinels' name of the master behind them: …:26379/mymaster")
    if database and not re.fullmatch("[0-9]{1,4}", database):
        raise ValueError("expected a number of a database behind the master's name")
    return unquote(service), int(database or 0)


def _options(kind: str, query: str, *, tls: bool) -> dict[str, str]:
    known = (*_TLS_OPTIONS, *(_SENTINEL_OPTIONS if kind == "sentinel" else ()))
    found = dict(parse_qsl(query, keep_blank_values=True))
    for name in found:
        if name not in known:
            raise ValueError(f"unknown option{did_you_mean(name, known)}; there are {', '.join(known)}")
        if name in _TLS_OPTIONS and not tls:
            raise ValueError(f"{name} is of TLS: expected rediss+{kind}://")
    return found


def _tls_option(name: str, text: str) -> str | bool:
    if name == "ssl_check_hostname":
        if text.lower() not in _BOOLEANS:
            raise ValueError("ssl_check_hostname is true or false")
        return _BOOLEANS[text.lower()]
    if name == "ssl_cert_reqs" and text not in ("none", "optional", "required"):
        raise ValueError("ssl_cert_reqs is none, optional or required")
    return text
