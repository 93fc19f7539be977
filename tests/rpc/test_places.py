"""The laws of getting there: unix sockets, names with several addresses, TLS."""

from __future__ import annotations

import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path

import pytest
from gevent.ssl import SSLContext

from gateway.domain.deadline import Deadline
from gateway.rpc import ConnectFailed, RpcClient
from gateway.rpc.address import parse_base_url
from gateway.rpc.connect import Connector
from gateway.rpc.resolve import SocketAddress
from gateway.rpc.timeouts import Budget, Timeouts
from gateway.settings.rpc import RpcSettings
from tests.rpc.peer import OK, Link, MakeClient, Serve, answering, to


def listening_at(path: Path) -> socket.socket:
    from gevent import socket as cooperative

    listener = cooperative.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen(8)
    return listener


def unix_url(path: Path) -> str:
    return "http+unix://" + str(path).replace("/", "%2F")


def test_a_unix_socket_is_an_endpoint_like_any_other(serve: Serve, client: RpcClient, tmp_path: Path) -> None:
    requests: list[bytes] = []

    def script(link: Link) -> None:
        while request := link.request():
            requests.append(request)
            link.send(OK)

    serve(script, listening_at(tmp_path / "App.sock"))
    for _ in range(2):
        assert client.call(to(unix_url(tmp_path / "App.sock"), path="/x")).body == b"hi"

    assert requests[0].startswith(b"GET /x HTTP/1.1\r\nHost: localhost\r\n")
    assert "0 busy, 1 idle" in repr(client)


def test_a_unix_socket_that_is_not_there_was_never_sent(client: RpcClient, tmp_path: Path) -> None:
    with pytest.raises(ConnectFailed) as caught:
        client.call(to(unix_url(tmp_path / "none.sock")))
    assert (caught.value.reason, caught.value.sent) == ("refused", "never")


def test_a_name_is_resolved(serve: Serve, client: RpcClient) -> None:
    assert client.call(to(f"http://localhost:{serve(answering(OK)).port}")).status == 200


def connector_to(*ports: int) -> Connector:
    """Return a connector to a name that stands for several addresses."""
    addresses: list[tuple[int, SocketAddress]] = [(socket.AF_INET, ("127.0.0.1", port)) for port in ports]
    address = parse_base_url("http://several.example")
    return Connector(address, tls_ca_file="", resolve=lambda host, port, wait_s: addresses)


def budget_of(**changes: float) -> Budget:
    return Budget(Timeouts.of(RpcSettings(**changes)), Deadline.after(60, now=time.monotonic()), time.monotonic)


def test_an_address_that_refuses_or_is_silent_leaves_time_for_the_next(serve: Serve, deaf_port: int) -> None:
    """The bound is shared out: a silent first address must not use up the time of a second that works."""
    good, closed = serve(answering(OK)), serve(answering(OK))
    closed.stop()
    connector_to(closed.port, deaf_port, good.port).connect(budget_of(connect_timeout_s=0.3)).close()

    assert good.ended.get(timeout=5) == 1


def test_when_no_address_works_the_last_ones_reason_is_told(serve: Serve, deaf_port: int) -> None:
    closed = serve(answering(OK))
    closed.stop()
    with pytest.raises(ConnectFailed) as caught:
        connector_to(deaf_port, closed.port).connect(budget_of(connect_timeout_s=0.1))
    assert caught.value.reason == "refused"

    with pytest.raises(ConnectFailed, match="no address"):
        connector_to().connect(budget_of())


# TLS


class Authority:
    """A certificate authority of this test run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pem = folder / "ca.pem"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                      "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Test Authority")  # fmt: skip

    def server_context(self, names: str) -> SSLContext:
        """Return the context of a server whose certificate is for *names*."""
        (self.folder / "names.ext").write_text(f"subjectAltName={names}\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                      "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")  # fmt: skip
        self._openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                      "-CAcreateserial", "-out", "server.pem", "-days", "2", "-extfile", "names.ext")  # fmt: skip
        context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        return context

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True, timeout=30)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority, where the machine has openssl's command."""
    if shutil.which("openssl") is None:
        pytest.skip("needs the openssl command")
    return Authority(tmp_path_factory.mktemp("authority"))


def secure(server_port: int) -> str:
    return f"https://localhost:{server_port}"


def test_a_trusted_certificate_for_the_hosts_name_is_spoken_to(
    serve: Serve, make_client: MakeClient, authority: Authority
) -> None:
    server = serve(answering(OK), ssl_context=authority.server_context("DNS:localhost"))
    client = make_client(tls_ca_file=str(authority.pem))
    results = [client.call(to(secure(server.port), method="POST", body=bytes(300_000))) for _ in range(3)]

    assert [(result.body, result.reused) for result in results] == [(b"hi", False), (b"hi", True), (b"hi", True)]


def test_a_certificate_for_another_name_is_refused_before_anything_is_sent(
    serve: Serve, make_client: MakeClient, authority: Authority
) -> None:
    server = serve(answering(OK), ssl_context=authority.server_context("DNS:other.example"))
    client = make_client(tls_ca_file=str(authority.pem))
    with pytest.raises(ConnectFailed, match="localhost") as caught:
        client.call(to(secure(server.port)))

    assert (caught.value.reason, caught.value.sent) == ("tls", "never")
    assert "0 busy, 0 idle" in repr(client)


def test_an_unknown_authority_is_refused(serve: Serve, client: RpcClient, authority: Authority) -> None:
    server = serve(answering(OK), ssl_context=authority.server_context("DNS:localhost"))
    with pytest.raises(ConnectFailed, match="certificate") as caught:
        client.call(to(secure(server.port)))

    assert caught.value.reason == "tls"


def test_a_server_that_does_not_speak_tls_is_refused(serve: Serve, client: RpcClient) -> None:
    server = serve(lambda link: (link.send(b"SSH-2.0-OpenSSH_9.2\r\n"), link.until_gone()))
    with pytest.raises(ConnectFailed, match="TLS failed") as caught:
        client.call(to(secure(server.port)))
    assert caught.value.reason == "tls"


def test_a_handshake_that_never_ends_is_bounded(serve: Serve, make_client: MakeClient) -> None:
    server = serve(lambda link: link.until_gone())
    with pytest.raises(ConnectFailed) as caught:
        make_client(connect_timeout_s=0.1).call(to(secure(server.port)))

    assert caught.value.reason == "connect_timeout"
    assert server.ended.get(timeout=5) == 1


def test_a_body_cut_off_without_tls_goodbye_is_not_taken_for_whole(
    serve: Serve, make_client: MakeClient, authority: Authority
) -> None:
    """A body that ends with the connection could be cut by anybody on the way (RFC 9112, section 9.8)."""

    def script(link: Link) -> None:
        link.request()
        link.send(b"HTTP/1.1 200 OK\r\n\r\nhalf")

    server = serve(script, ssl_context=authority.server_context("DNS:localhost"))
    client = make_client(tls_ca_file=str(authority.pem))
    with pytest.raises(Exception, match="broke inside the answer"):
        client.call(to(secure(server.port)))


def test_an_unreadable_authority_file_names_its_setting(
    serve: Serve, make_client: MakeClient, tmp_path: Path
) -> None:
    server, client = serve(answering(OK)), make_client(tls_ca_file=str(tmp_path / "none.pem"))
    with pytest.raises(ConnectFailed, match=r"rpc\.tls_ca_file"):
        client.call(to(secure(server.port)))
    assert server.ended.get(timeout=5) == 1


def test_aborting_a_tls_connection_wakes_its_reader(
    serve: Serve, make_client: MakeClient, authority: Authority
) -> None:
    server = serve(lambda link: link.until_gone(), ssl_context=authority.server_context("DNS:localhost"))
    connector = Connector(parse_base_url(secure(server.port)), tls_ca_file=str(authority.pem))
    wire = connector.connect(budget_of())
    wire.abort()
    with pytest.raises(OSError, match="EOF occurred"):
        wire.read(100, 5.0)
    wire.close()
    wire.close()
