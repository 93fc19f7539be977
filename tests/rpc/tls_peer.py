"""Both sides of TLS for tests: an authority, a server that tells what TLS hides from scripts, a caller."""

from __future__ import annotations

import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gevent.queue import Queue
from gevent.server import StreamServer
from gevent.ssl import SSLContext

from gateway.domain.deadline import Deadline
from gateway.rpc.address import parse_base_url
from gateway.rpc.connect import Connector
from gateway.rpc.resolve import IpAddress, Resolver
from gateway.rpc.timeouts import Budget, Timeouts
from gateway.rpc.tls import TlsContext, TlsWire
from gateway.rpc.watch import Watch
from gateway.settings.rpc import RpcSettings
from tests.rpc.peer import GUARD_S, OK

REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Authority:
    """A certificate authority of this test run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pem = folder / "ca.pem"
        self._openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                      "-keyout", "ca.key", "-out", "ca.pem", "-days", "2", "-subj", "/CN=Test Authority")  # fmt: skip

    def certify(self, names: str) -> None:
        """Write server.pem and server.key, a certificate for *names*."""
        (self.folder / "names.ext").write_text(f"subjectAltName={names}\n")
        self._openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                      "-keyout", "server.key", "-out", "server.csr", "-subj", "/CN=server")  # fmt: skip
        self._openssl("x509", "-req", "-in", "server.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                      "-CAcreateserial", "-out", "server.pem", "-days", "2", "-extfile", "names.ext")  # fmt: skip

    def server_context(self, names: str = "DNS:localhost") -> SSLContext:
        """Return the context of a server whose certificate is for *names*."""
        self.certify(names)
        context = SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.folder / "server.pem", self.folder / "server.key")
        return context

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.folder, check=True, capture_output=True, timeout=30)


def secure(server_port: int) -> str:
    return f"https://localhost:{server_port}"


def budget_of(**changes: float) -> Budget:
    deadline = Deadline.after(60, now=time.monotonic())
    return Budget(Timeouts.of(RpcSettings(**changes)), deadline, time.monotonic)


def soon() -> float:
    return time.monotonic() + GUARD_S


class Caller:
    """A connector to ``localhost`` that trusts the authority."""

    def __init__(self, authority: Authority, port: int, host: str = "localhost") -> None:
        self.watch = Watch(time.monotonic)
        self.wires: list[TlsWire] = []
        resolver = Resolver(
            refresh_s=5,
            keep_s=300,
            names_max=9,
            clock=time.monotonic,
            look_up=lambda host: [IpAddress(2, "127.0.0.1")],
        )
        self.connector = Connector(
            parse_base_url(f"https://{host}:{port}"),
            resolver,
            tls=TlsContext(str(authority.pem)),
            watch=self.watch,
            clock=time.monotonic,
            guarded=False,
            private_allowed=False,
            draw=lambda: 0.0,
        )

    def connect(self, **timeouts: float) -> TlsWire:
        wire = self.connector.connect(budget_of(**timeouts))
        assert isinstance(wire, TlsWire)
        self.wires.append(wire)
        return wire

    def close(self) -> None:
        for wire in self.wires:
            wire.close()

    def ask(self, wire: TlsWire) -> bytes:
        wire.write(REQUEST, soon(), GUARD_S)
        return wire.read(65_536, soon())


class TlsServer:
    """Answers requests, and tells how each connection began and ended."""

    def __init__(self, context: SSLContext, port: int = 0) -> None:
        self._context = context
        #: For each connection the protocol that was agreed on, or the error of its handshake.
        self.begun: Queue[str | None] = Queue()
        #: For each connection how it ended: ``goodbye`` or the error.
        self.ended: Queue[str] = Queue()
        self._server = StreamServer(("127.0.0.1", port), self._handle)
        self._server.start()
        self.port: int = self._server.server_port

    def stop(self) -> None:
        self._server.stop()

    def _handle(self, connected: Any, address: object) -> None:
        secured = self._context.wrap_socket(
            connected, server_side=True, do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        try:
            secured.do_handshake()
            self.begun.put(secured.selected_alpn_protocol())
            while secured.recv(65_536):
                secured.sendall(OK)
            self.ended.put("goodbye")
        except ssl.SSLError as error:
            self.begun.put(error.reason)
            self.ended.put(error.reason)
        finally:
            secured.close()


MakeCaller = Callable[..., Caller]
ServeTls = Callable[..., TlsServer]
