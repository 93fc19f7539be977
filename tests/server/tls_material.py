"""What TLS tests need: a throw-away certificate, and a client that never waits."""

from __future__ import annotations

import _socket
import contextlib
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.support.programs import program

__all__ = ["Certificate", "Client", "make_certificate"]


@dataclass(frozen=True)
class Certificate:
    """A certificate for ``localhost`` that vouches for itself."""

    certfile: str
    keyfile: str

    def server_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certfile, self.keyfile)
        return context

    def client_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=self.certfile)


def make_certificate(folder: Path) -> Certificate:
    """Make a key and a certificate in *folder*."""
    made = Certificate(str(folder / "certificate.pem"), str(folder / "key.pem"))
    subprocess.run(
        [
            *(program("openssl"), "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
            *("-keyout", made.keyfile, "-out", made.certfile),
        ],
        check=True,
        capture_output=True,
    )
    return made


class Client:
    """The client's side over one end of a pair of sockets.  It takes what is there, and never waits."""

    def __init__(self, sock: _socket.socket, context: ssl.SSLContext) -> None:
        self.sock = sock
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname="localhost")
        #: How its peer ended: by close_notify, or by a bare FIN.
        self.ended = self.left = False
        self.ready = False

    def outgoing(self) -> bytes:
        """Go on with the handshake if there is one, and return what is to be sent."""
        if not self.ready:
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
                self.ready = True
        return self._outgoing.read()

    def encrypt(self, *pieces: bytes) -> bytes:
        """Return *pieces* as records, a piece each up to 16 KiB."""
        for piece in pieces:
            self.tls.write(piece)
        return self._outgoing.read()

    def close_notify(self) -> bytes:
        """Return the alert that ends what this side says."""
        with contextlib.suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        return self._outgoing.read()

    def take(self) -> None:
        """Read what the kernel has."""
        with contextlib.suppress(BlockingIOError):
            while data := self.sock.recv(65_536):
                self._incoming.write(data)
            self.left = True

    def read(self) -> bytes:
        """Return what there is, decrypted."""
        self.take()
        pieces = []
        with contextlib.suppress(ssl.SSLWantReadError):
            try:
                while piece := self.tls.read(65_536):
                    pieces.append(piece)
                self.ended = True
            except ssl.SSLZeroReturnError:
                self.ended = True
        return b"".join(pieces)
