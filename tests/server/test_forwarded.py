"""Who a caller is, behind proxies and without: only trusted peers say so, and no caller chooses its own address."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.domain.errors import BadRequest
from gateway.server.forwarded import TrustedPeers, apply_forwarded

PROXIES = "10.0.0.0/8,192.0.2.7,2001:db8:1::/48"
PROXY = "10.0.0.1"


def environ_of(peer: str, **headers: str) -> dict[str, Any]:
    return {
        "REMOTE_ADDR": peer,
        "REMOTE_PORT": "40000",
        "wsgi.url_scheme": "http",
        "HTTP_HOST": "example.org",
        **{f"HTTP_{name}": value for name, value in headers.items()},
    }


def caller_of(peer: str, forwarded_for: str, allowed: str = PROXIES) -> tuple[str, str | None]:
    environ = environ_of(peer, X_FORWARDED_FOR=forwarded_for)
    apply_forwarded(environ, TrustedPeers(allowed))
    return environ["REMOTE_ADDR"], environ.get("REMOTE_PORT")


@pytest.mark.parametrize(
    ("host", "trusted"),
    [
        ("10.0.0.1", True),
        ("10.255.255.255", True),
        ("11.0.0.1", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("2001:db8:1::9", True),
        ("2001:db8:2::9", False),
        # A dual-stack listener shows an IPv4 peer so.
        ("::ffff:10.0.0.1", True),
        ("::ffff:11.0.0.1", False),
        # A unix socket's peer.
        ("", True),
        ("localhost", False),
        ("10.0.0.1.example.org", False),
    ],
)
def test_whose_word_is_believed(host: str, trusted: bool):
    peers = TrustedPeers(PROXIES)
    assert peers.trusts(host) is trusted
    assert peers.trusts(host) is trusted


def test_the_setting_is_a_text_or_the_list_that_gunicorn_makes_of_it():
    for allowed in ("127.0.0.1, ::1", ["127.0.0.1", "::1"], ["::ffff:127.0.0.1", " ::1 "]):
        peers = TrustedPeers(allowed)
        assert peers.trusts("127.0.0.1")
        assert peers.trusts("::1")
        assert not peers.trusts("127.0.0.2")
    assert TrustedPeers("::ffff:10.0.0.0/104").trusts("10.1.2.3")


@pytest.mark.parametrize("allowed", ["", []])
def test_an_empty_setting_trusts_unix_sockets_only(allowed: Any):
    peers = TrustedPeers(allowed)
    assert peers.trusts("")
    assert not peers.trusts("127.0.0.1")


@pytest.mark.parametrize("allowed", ["10.0.0.1/8", "localhost", "10.0.0.0/33", "10.0.0.1;10.0.0.2"])
def test_a_setting_that_means_nothing_is_refused(allowed: str):
    with pytest.raises(ValueError, match="expected an address, a network or"):
        TrustedPeers(allowed)


def test_judgements_are_remembered_within_a_bound():
    peers = TrustedPeers(PROXIES)
    for number in range(10_000):
        assert not peers.trusts(f"198.51.{number >> 8}.{number & 255}")
    remembered = peers.vouches_for.cache_info()
    assert 0 < remembered.currsize <= 4_096


def test_an_untrusted_peer_says_nothing_about_itself():
    environ = environ_of(
        "203.0.113.9",
        X_FORWARDED_FOR="127.0.0.1",
        X_FORWARDED_PROTO="nonsense, https",
        X_FORWARDED_HOST="bank.example",
        X_FORWARDED_PORT="443",
        X_FORWARDED_PREFIX="/admin",
        X_FORWARDED_SSL="on",
        FORWARDED="for=127.0.0.1;proto=https",
        X_REAL_IP="127.0.0.1",
    )
    apply_forwarded(environ, TrustedPeers(PROXIES))
    assert environ == environ_of("203.0.113.9")


def test_a_trusted_peer_says_who_called_and_how():
    said = {
        "X_FORWARDED_FOR": "203.0.113.9",
        "X_FORWARDED_PROTO": "https",
        "X_FORWARDED_HOST": "shop.example",
        "X_FORWARDED_PREFIX": "/shop",
    }
    environ = environ_of(PROXY, **said)
    apply_forwarded(environ, TrustedPeers(PROXIES))

    # What the application may read for itself stays; the proxy's own port is not its caller's.
    expected = environ_of("203.0.113.9", **said) | {"wsgi.url_scheme": "https"}
    del expected["REMOTE_PORT"]
    assert environ == expected


def test_second_answers_are_removed_from_everybody():
    """A proxy that sets X-Forwarded-For passes on what its caller wrote in these."""
    environ = environ_of(
        PROXY,
        FORWARDED="for=127.0.0.1;proto=https",
        X_REAL_IP="127.0.0.1",
        X_FORWARDED_SSL="on",
        X_FORWARDED_PROTOCOL="ssl",
    )
    apply_forwarded(environ, TrustedPeers(PROXIES))
    assert environ == environ_of(PROXY)


@pytest.mark.parametrize(
    ("value", "scheme"),
    [("http", "http"), ("https", "https"), ("HTTPS", "https"), (" https ", "https"), ("https, https", "https")],
)
def test_the_scheme_is_the_one_that_the_caller_used(value: str, scheme: str):
    environ = environ_of(PROXY, X_FORWARDED_PROTO=value)
    environ["wsgi.url_scheme"] = "http" if scheme == "https" else "https"
    apply_forwarded(environ, TrustedPeers(PROXIES))
    assert environ["wsgi.url_scheme"] == scheme


@pytest.mark.parametrize(
    "value", ["", "https, http", "http,https", "https,", "wss", "https;", '"https"', "\xa0https", "https https"]
)
def test_a_scheme_that_could_be_read_in_two_ways_is_refused(value: str):
    environ = environ_of(PROXY, X_FORWARDED_PROTO=value)
    with pytest.raises(BadRequest) as caught:
        apply_forwarded(environ, TrustedPeers(PROXIES))
    assert caught.value.reason == "forwarded"


@pytest.mark.parametrize(
    ("forwarded_for", "caller"),
    [
        ("203.0.113.9", ("203.0.113.9", None)),
        ("198.51.100.1, 203.0.113.9", ("203.0.113.9", None)),
        ("198.51.100.1,203.0.113.9,10.9.9.9,192.0.2.7", ("203.0.113.9", None)),
        # What is left of the caller is never read, be it an address or not.
        ("127.0.0.1, 10.0.0.1, 203.0.113.9", ("203.0.113.9", None)),
        ("unknown, <script>, 203.0.113.9", ("203.0.113.9", None)),
        # All of them ours: the one that began.
        ("10.0.0.3, 10.0.0.2", ("10.0.0.3", None)),
        # Ports, brackets, spellings.
        ("203.0.113.9:4711", ("203.0.113.9", "4711")),
        ("[2001:db8::9]:4711", ("2001:db8::9", "4711")),
        ("[2001:db8::9]", ("2001:db8::9", None)),
        ("2001:DB8:0:0::9", ("2001:db8::9", None)),
        ("::ffff:203.0.113.9", ("203.0.113.9", None)),
        ("198.51.100.1, ::ffff:10.0.0.2", ("198.51.100.1", None)),
        ("198.51.100.1:1, 10.0.0.2:4711", ("198.51.100.1", "1")),
        ("198.51.100.1, [2001:db8:1::2]:4711", ("198.51.100.1", None)),
        # Empty elements do not count.
        ("203.0.113.9, ,", ("203.0.113.9", None)),
        # Rubbish where an address has to be read: nobody knows, and the peer is what is left.
        ("", (PROXY, "40000")),
        (" , ", (PROXY, "40000")),
        ("203.0.113.9, unknown", (PROXY, "40000")),
        ("203.0.113.9, _hidden, 10.0.0.2", (PROXY, "40000")),
        ("203.0.113.9:port", (PROXY, "40000")),
        ("203.0.113.9:65536", (PROXY, "40000")),
        ("203.0.113.999", (PROXY, "40000")),
        ("203.0.113.09", (PROXY, "40000")),
        ("[203.0.113.9]", (PROXY, "40000")),
        ("[2001:db8::9", (PROXY, "40000")),
        ("2001:db8::9%eth0", (PROXY, "40000")),
        ("fe80::1%<script>", (PROXY, "40000")),
        ("\xa0203.0.113.9", (PROXY, "40000")),
        ("3405803785", (PROXY, "40000")),
        ('"203.0.113.9"', (PROXY, "40000")),
        ("for=203.0.113.9", (PROXY, "40000")),
    ],
)
def test_the_caller_is_the_first_from_the_right_that_nobody_vouches_for(
    forwarded_for: str, caller: tuple[str, str | None]
):
    assert caller_of(PROXY, forwarded_for) == caller


def test_everybody_trusted_is_the_peer_trusted_and_not_what_it_passes_on():
    assert caller_of("203.0.113.1", "127.0.0.1, 203.0.113.9", "*") == ("203.0.113.9", None)
    assert caller_of("203.0.113.1", "198.51.100.1, 10.0.0.2", "*,10.0.0.0/8") == ("198.51.100.1", None)
    assert caller_of("", "127.0.0.1, 203.0.113.9", "10.0.0.0/8") == ("203.0.113.9", None)


ADDRESSES = (st.ip_addresses(v=4) | st.ip_addresses(v=6)).map(str)
OUTSIDE = st.ip_addresses(v=4, network="203.0.113.0/24").map(str) | st.ip_addresses(
    v=6, network="2001:db8:2::/48"
).map(str)
INSIDE = st.ip_addresses(v=4, network="10.0.0.0/8").map(str) | st.just("192.0.2.7")
#: Whatever fits into a field (RFC 9110, section 5.5), and what means something here.
WRITTEN = st.lists(
    ADDRESSES | INSIDE | st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_characters="\x7f"))
).map(",".join)


@given(
    written=st.none() | WRITTEN,
    attacker=OUTSIDE,
    proxies=st.lists(INSIDE, min_size=1, max_size=3),
    others=st.dictionaries(
        st.sampled_from(["FORWARDED", "X_REAL_IP", "X_FORWARDED_SSL", "X_FORWARDED_HOST", "X_FORWARDED_PORT"]),
        WRITTEN,
    ),
    port=st.none() | st.integers(1, 65_535),
)
def test_no_caller_chooses_its_own_address(
    written: str | None, attacker: str, proxies: list[str], others: dict[str, str], port: int | None
):
    """Behind trusted proxies that append whom they were called by, whatever else the caller sends."""
    seen = attacker if port is None else f"[{attacker}]:{port}" if ":" in attacker else f"{attacker}:{port}"
    appended = [seen, *proxies[:-1]]
    value = ", ".join(appended if written is None else [written, *appended])
    environ = environ_of(proxies[-1], X_FORWARDED_FOR=value, **others)

    apply_forwarded(environ, TrustedPeers(PROXIES))

    assert environ["REMOTE_ADDR"] == attacker
    assert environ.get("REMOTE_PORT") == (None if port is None else str(port))


@given(written=WRITTEN, attacker=OUTSIDE)
def test_nor_does_one_that_calls_directly(written: str, attacker: str):
    assert caller_of(attacker, written) == (attacker, "40000")
