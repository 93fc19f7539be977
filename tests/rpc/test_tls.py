"""The laws of TLS: who is spoken to, what is resumed, and how it ends."""

from __future__ import annotations

import ssl
import subprocess
import sys
import warnings
from pathlib import Path

import gevent
import pytest

from gateway.rpc import ConnectFailed, RpcClient
from tests.rpc.peer import GUARD_S, OK, Link, MakeClient, Serve, answering, to
from tests.rpc.tls_peer import Authority, MakeCaller, ServeTls, secure

# Who is spoken to


def test_a_trusted_certificate_for_the_hosts_name_is_spoken_to(
    serve: Serve, make_client: MakeClient, authority: Authority
) -> None:
    server = serve(answering(OK), ssl_context=authority.server_context())
    client = make_client(tls_ca_file=str(authority.pem))
    results = [client.call(to(secure(server.port), method="POST", body=bytes(300_000))) for _ in range(3)]

    assert [(result.body, result.reused) for result in results] == [
        (b"hi", False),
        (b"hi", True),
        (b"hi", True),
    ]


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
    server = serve(answering(OK), ssl_context=authority.server_context())
    with pytest.raises(ConnectFailed, match="certificate") as caught:
        client.call(to(secure(server.port)))

    assert caught.value.reason == "tls"


def test_a_server_that_does_not_speak_tls_is_refused(serve: Serve, client: RpcClient) -> None:
    server = serve(lambda link: (link.send(b"SSH-2.0-OpenSSH_9.2\r\n"), link.until_gone()))
    with pytest.raises(ConnectFailed, match="TLS failed") as caught:
        client.call(to(secure(server.port)))
    assert caught.value.reason == "tls"


def test_tls_older_than_1_2_is_refused(serve: Serve, call_tls: MakeCaller, authority: Authority) -> None:
    context = authority.server_context()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    server = serve(answering(OK), ssl_context=context)
    with pytest.raises(ConnectFailed, match=r"PROTOCOL|VERSION"):
        call_tls(server.port).connect()


def test_a_name_that_no_certificate_can_be_for_is_refused(
    serve: Serve, call_tls: MakeCaller, authority: Authority
) -> None:
    server = serve(lambda link: link.until_gone())
    caller = call_tls(server.port, host=".localhost")
    with pytest.raises(ConnectFailed, match="host's name") as caught:
        caller.connect()
    assert (caught.value.reason, server.ended.get(timeout=GUARD_S)) == ("tls", 1)


def test_a_handshake_that_never_ends_is_bounded(
    serve: Serve, call_tls: MakeCaller, authority: Authority
) -> None:
    server = serve(lambda link: link.until_gone())
    caller = call_tls(server.port)
    with pytest.raises(ConnectFailed) as caught:
        caller.connect(connect_timeout_s=0.3)

    assert (caught.value.reason, server.ended.get(timeout=GUARD_S)) == ("connect_timeout", 1)
    assert repr(caller.watch) == "<Watch over 0>"


def test_a_kill_inside_a_handshake_closes_its_socket(
    serve: Serve, call_tls: MakeCaller, authority: Authority
) -> None:
    def script(link: Link) -> None:
        server.reached.set()
        link.until_gone()

    server = serve(script)
    caller = call_tls(server.port)
    connecting = gevent.spawn(caller.connect, connect_timeout_s=60)
    assert server.reached.wait(GUARD_S)
    gevent.idle()
    connecting.kill()

    assert server.ended.get(timeout=GUARD_S) == 1
    assert repr(caller.watch) == "<Watch over 0>"


def test_an_unreadable_authority_file_names_its_setting(
    serve: Serve, make_client: MakeClient, tmp_path: Path
) -> None:
    server, client = serve(answering(OK)), make_client(tls_ca_file=str(tmp_path / "none.pem"))
    with pytest.raises(ConnectFailed, match=r"rpc\.tls_ca_file"):
        client.call(to(secure(server.port)))
    assert server.connections == 0


def test_http_1_1_is_what_is_asked_for(
    serve_tls: ServeTls, call_tls: MakeCaller, authority: Authority
) -> None:
    context = authority.server_context()
    context.set_alpn_protocols(["h2", "http/1.1"])
    server = serve_tls(context)
    wire = call_tls(server.port).connect()

    assert server.begun.get(timeout=GUARD_S) == "http/1.1"
    wire.close()


def test_a_server_is_told_why_it_is_not_spoken_to(
    serve_tls: ServeTls, call_tls: MakeCaller, authority: Authority
) -> None:
    """Without the alert its operator sees a connection that ended, and no reason."""
    context = authority.server_context("DNS:other.example")
    context.maximum_version = ssl.TLSVersion.TLSv1_2  # so that its handshake ends behind ours
    server = serve_tls(context)
    with pytest.raises(ConnectFailed):
        call_tls(server.port).connect()

    assert server.ended.get(timeout=GUARD_S) == "SSLV3_ALERT_BAD_CERTIFICATE"


def test_a_connection_that_is_closed_says_goodbye(
    serve_tls: ServeTls, call_tls: MakeCaller, authority: Authority
) -> None:
    """Who closes without it looks to the server like an attacker who cut the connection off."""
    server = serve_tls(authority.server_context())
    caller = call_tls(server.port)
    wire = caller.connect()
    assert caller.ask(wire) == OK
    wire.close()
    wire.close()
    assert server.ended.get(timeout=GUARD_S) == "goodbye"

    caller.connect().close()  # before any call
    assert server.ended.get(timeout=GUARD_S) == "goodbye"
    assert repr(caller.watch) == "<Watch over 0>"


# Sessions

VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("abruptly", [False, True])
def test_the_next_connection_resumes_the_session_of_the_last(
    serve_tls: ServeTls, call_tls: MakeCaller, authority: Authority, version: ssl.TLSVersion, abruptly: bool
) -> None:
    context = authority.server_context()
    context.minimum_version = context.maximum_version = version
    caller = call_tls(serve_tls(context).port)
    first, beside = caller.connect(), caller.connect()
    assert (first.resumed, beside.resumed) == (False, False)

    assert caller.ask(first) == OK
    if abruptly:
        first.abort()
    first.close()
    for _ in range(3):
        wire = caller.connect()
        assert (wire.resumed, caller.ask(wire)) == (True, OK)
        wire.close()
    beside.close()


def test_a_session_is_taken_from_a_connection_that_lives_on(
    serve_tls: ServeTls, call_tls: MakeCaller, authority: Authority
) -> None:
    """A burst opens many connections long before the first of them closes."""
    caller = call_tls(serve_tls(authority.server_context()).port)
    wires = [caller.connect()]
    caller.ask(wires[0])
    wires += [caller.connect() for _ in range(5)]

    assert [wire.resumed for wire in wires] == [False] + [True] * 5
    for wire in wires:
        wire.close()


def test_a_session_belongs_to_one_endpoint(
    serve_tls: ServeTls, call_tls: MakeCaller, authority: Authority
) -> None:
    """Resumption checks no certificate: another host must not profit from this one's."""
    server = serve_tls(authority.server_context())
    for _ in range(2):
        caller = call_tls(server.port)
        wire = caller.connect()
        assert (wire.resumed, caller.ask(wire)) == (False, OK)
        wire.close()


def test_a_server_that_forgot_the_session_begins_a_new_one(
    serve_tls: ServeTls, call_tls: MakeCaller, authority: Authority
) -> None:
    server = serve_tls(authority.server_context())
    caller = call_tls(server.port)
    wire = caller.connect()
    caller.ask(wire)
    wire.close()
    server.stop()
    serve_tls(authority.server_context(), server.port)

    for resumed in (False, True):
        wire = caller.connect()
        assert (wire.resumed, caller.ask(wire)) == (resumed, OK)
        wire.close()


def test_a_session_with_which_a_handshake_failed_is_not_offered_again(
    serve: Serve, serve_tls: ServeTls, call_tls: MakeCaller, authority: Authority
) -> None:
    context = authority.server_context()
    server = serve_tls(context)
    caller = call_tls(server.port)
    for resumed in (False, True):
        wire = caller.connect()
        assert (wire.resumed, caller.ask(wire)) == (resumed, OK)
        wire.close()
    server.stop()
    broken = serve(lambda link: link.send(b"no TLS at all"), ("127.0.0.1", server.port))
    with pytest.raises(ConnectFailed):
        caller.connect()
    broken.stop()
    serve_tls(context, server.port)

    assert not caller.connect().resumed


# Any process

PROGRAM = """
import ssl, sys, time
import gevent
from gevent import monkey
from gevent.server import StreamServer
from gevent.ssl import SSLContext
from gateway.domain.deadline import Deadline
from gateway.rpc import Call, RpcClient, Service
from gateway.settings.rpc import RpcSettings

assert not monkey.saved, "patched after all"
order = []

def handle(connected, address):
    while connected.recv(65536):
        gevent.sleep(0.05)
        connected.sendall(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\nhi")

context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1] + "/server.pem", sys.argv[1] + "/server.key")
server = StreamServer(("127.0.0.1", 0), handle, ssl_context=context)
server.start()
client = RpcClient(RpcSettings(tls_ca_file=sys.argv[1] + "/ca.pem"))
call = Call(service=Service("peer", (f"https://localhost:{server.server_port}",)), method="GET",
            deadline=Deadline.after(10, now=time.monotonic()))
other = gevent.spawn(order.append, "another greenlet ran")
order.append(client.call(call).body)
client.stop(Deadline(0.0))
server.stop()
assert order == ["another greenlet ran", b"hi"], order
print("fine")
"""


def test_tls_in_an_unpatched_process_blocks_nobody_else(authority: Authority) -> None:
    authority.certify("DNS:localhost")
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(authority.folder)],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("fine\n", "")
