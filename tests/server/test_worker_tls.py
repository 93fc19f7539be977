"""TLS by gunicorn's own settings, with real processes."""

from __future__ import annotations

import http.client
import json
import os
import signal
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.gunicorn_process import Gunicorn, running
from tests.server.tls_material import Certificate
from tests.support.waiting import until

LARGE = os.urandom(1_000_000)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Gunicorn]:
    with served(tmp_path_factory.mktemp("tls"), certificate) as site:
        yield site


def served(folder: Path, certificate: Certificate, *options: str, client: ssl.SSLContext | None = None):  # type: ignore[no-untyped-def]
    return running(
        folder,
        *("--certfile", certificate.certfile, "--keyfile", certificate.keyfile, *options),
        client=client or certificate.client_context(),
    )


def test_a_connection_is_kept_and_bodies_are_whole_both_ways(site: Gunicorn) -> None:
    with site.connected() as connection:
        for body in (b"small", LARGE, b""):
            connection.request("POST", "/echo", body)
            answer = connection.getresponse()
            assert (answer.status, answer.read()) == (200, body)
            kept = connection.sock
            assert kept is not None
            assert answer.headers["Connection"] is None
        connection.request("GET", "/environ")
        environ = json.loads(connection.getresponse().read())
        assert connection.sock is kept
        assert environ["wsgi.url_scheme"] == "https"
        assert environ["SERVER_PORT"] == str(site.port)


def test_http_1_1_is_agreed_upon(certificate: Certificate, site: Gunicorn) -> None:
    """HTTP/2 is not spoken here, whatever the caller would rather."""
    client = certificate.client_context()
    client.set_alpn_protocols(["h2", "http/1.1"])
    connection = http.client.HTTPSConnection("localhost", site.port, context=client)
    connection.connect()
    assert connection.sock.selected_alpn_protocol() == "http/1.1"
    connection.close()


def test_a_caller_must_show_a_certificate(tmp_path: Path, certificate: Certificate) -> None:
    """``ca_certs`` and ``cert_reqs``.  The throw-away certificate vouches for itself, so it serves as the caller's."""
    known = certificate.client_context()
    known.load_cert_chain(certificate.certfile, certificate.keyfile)
    required = ("--ca-certs", certificate.certfile, "--cert-reqs", str(int(ssl.CERT_REQUIRED)))
    with served(tmp_path, certificate, *required, client=known) as site:
        site.client = certificate.client_context()
        # With TLS 1.3 a client learns what became of its certificate when it reads.
        with pytest.raises((ssl.SSLError, ConnectionError)):
            site.answers_over_tls()


def test_the_ssl_context_hook_has_the_last_word(tmp_path: Path, certificate: Certificate) -> None:
    hook = tmp_path / "gunicorn.conf.py"
    hook.write_text(
        "import ssl\n\n\ndef ssl_context(conf, default):\n"
        "    context = default()\n    context.minimum_version = ssl.TLSVersion.TLSv1_3\n    return context\n"
    )
    with served(tmp_path, certificate, "-c", str(hook)) as site:
        old = certificate.client_context()
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        site.client = old
        with pytest.raises(ssl.SSLError), site.connected() as connection:
            connection.request("GET", "/echo")


def test_the_end_is_said_to_streams_and_to_idle_callers(tmp_path: Path, certificate: Certificate) -> None:
    """By close_notify: an end without it could be anybody's (RFC 9112, section 9.8)."""
    with served(tmp_path, certificate) as site, site.connected() as idle, site.connected() as stream:
        idle.request("GET", "/echo")
        idle.getresponse().read()
        stream.request("GET", "/events")
        events = stream.getresponse()
        assert events.headers["Transfer-Encoding"] == "chunked"
        site.signal(signal.SIGTERM)
        assert events.read() == b"retry: 10\n\n"
        assert isinstance(idle.sock, ssl.SSLSocket)
        idle.sock.suppress_ragged_eofs = False
        assert idle.sock.recv(1) == b""
        assert site.wait_end() == 0
        until("the end in order", lambda: site.marks()[-1] == "stop")
