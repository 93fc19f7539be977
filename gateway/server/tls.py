"""TLS with the manners of a non-blocking socket: bytes from memory to memory, and no greenlet that waits.

``TlsSocket`` has ``recv``, ``send``, ``shutdown``, ``close`` and ``fileno``, and is used like the socket below it.
gevent's SSLSocket is not: it waits by switching, and here most callers are watchers' callbacks in the hub.

- ``recv`` takes one read from the kernel and returns everything that it decrypts to: the watcher looks at the socket
  below, and would not call again for bytes that only OpenSSL still has.  That can be more than was asked for, by less
  than one record (16 KiB).  :exc:`BlockingIOError` is "not yet", the handshake included, which ``recv`` runs.
- ``send`` returns how much the kernel took, and what it returns is on its way.  After :exc:`BlockingIOError`, or after
  less than all, the rest is to be offered again as it is, because its first bytes may be encrypted already; anything
  else is refused, as by OpenSSL itself.
- The end is ``b""``: after the peer's close_notify, and also after its FIN alone, which many callers send.  A response
  read until the end could be cut short by a stranger's FIN; a request cannot, since its length is in its head or its
  chunks, and so nobody would gain from an error.  A FIN within the handshake is an error.
- ``shutdown`` sends close_notify if the kernel takes it.  ``close`` alone does not: for a reader that waits for the end
  (RFC 9112, section 9.8), a response broken off in the middle would look whole.
- Whatever else goes wrong is a :exc:`ConnectionAbortedError` with OpenSSL's reason, ``http_request`` for a caller that
  does not speak TLS.  The alert is sent if the kernel takes it.

What waits for the kernel is bounded: a peer that has us answer (alerts, key updates) and does not read is cut off.
Deliberately absent: early data; a renegotiation in which writing has to wait for reading; and a wait for the kernel
within the handshake, where our few kilobytes are the first that the socket is given: should they not fit, they go with
the next call, and the caller's time for its first request ends it.
"""

from __future__ import annotations

import _socket
import contextlib
import ssl
from typing import NoReturn

__all__ = ["TlsSocket"]

#: The most plaintext of one record (RFC 8446, section 5.1).
_RECORD_BYTES = 16_384
#: Plaintext that is encrypted at once, and so the most that is encrypted and not with the kernel.
_CHUNK_BYTES = 4 * _RECORD_BYTES
#: Encrypted bytes that may wait for the kernel: a chunk in its records, a handshake's flight, and some answers.
_UNSENT_BYTES_MAX = 2 * _CHUNK_BYTES


class TlsSocket:
    """The server's side of a TLS connection over a non-blocking socket that was accepted."""

    __slots__ = (
        "_failed",
        "_incoming",
        "_outgoing",
        "_owed",
        "_ready",
        "_sock",
        "_tls",
        "_unsent",
        "_unsent_bytes_max",
    )

    def __init__(
        self, sock: _socket.socket, context: ssl.SSLContext, *, unsent_bytes_max: int = _UNSENT_BYTES_MAX
    ) -> None:
        self._sock = sock
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._unsent_bytes_max = unsent_bytes_max
        #: The handshake is complete.
        self._ready = False
        #: Why nothing goes any more.
        self._failed = ""
        #: Encrypted, and not taken by the kernel yet.
        self._unsent = b""
        #: The plaintext in ``_unsent``, which our caller still has as unsent.
        self._owed = b""

    def __repr__(self) -> str:
        return f"<TlsSocket {self._tls.version() or 'shaking hands'}{self._failed and ' failed: ' + self._failed}>"

    @property
    def waiting_bytes(self) -> int:
        """Encrypted bytes that wait for the kernel."""
        return len(self._unsent) + self._outgoing.pending

    def fileno(self) -> int:
        return self._sock.fileno()

    def recv(self, size: int, /) -> bytes:
        """Return what one read of at most *size* bytes decrypts to, or ``b""`` at the end."""
        if self._failed:
            self._fail(self._failed)
        data = self._sock.recv(size)
        if not data:
            if not self._ready:
                self._fail("the peer left during the handshake")
            return b""
        self._incoming.write(data)
        try:
            if not self._ready:
                self._tls.do_handshake()
                self._ready = True
            plain, ended = self._decrypt()
        except ssl.SSLWantReadError:
            plain, ended = b"", False
        except ssl.SSLError as error:
            with contextlib.suppress(OSError):
                self._flush()
            self._fail(_reason(error), error)
        if not self._flush() and self.waiting_bytes > self._unsent_bytes_max:
            self._fail("the peer has us answer and does not read")
        if not plain and not ended:
            raise BlockingIOError
        return plain

    def send(self, data: bytes | memoryview, /) -> int:
        """Send what the kernel takes and return how many bytes of *data* that was."""
        if self._failed:
            self._fail(self._failed)
        if not self._ready:
            raise BlockingIOError
        rest = memoryview(data)
        sent = 0
        if self._owed:
            sent = len(self._owed)
            if rest[:sent].tobytes() != self._owed:
                self._fail("other bytes than those that are encrypted already")
            if not self._flush():
                raise BlockingIOError
            self._owed = b""
        elif not self._flush():
            raise BlockingIOError
        while sent < len(rest):
            chunk = rest[sent : sent + _CHUNK_BYTES]
            try:
                self._tls.write(chunk)
            except ssl.SSLError as error:
                self._fail(_reason(error), error)
            if not self._flush():
                self._owed = bytes(chunk)
                if not sent:
                    raise BlockingIOError
                return sent
            sent += len(chunk)
        return sent

    def shutdown(self, how: int, /) -> None:
        """Say that no more comes, and end the socket's side likewise."""
        if self._ready and not self._failed and how != _socket.SHUT_RD:
            # It says that the peer's own close_notify has not come yet, or that other bytes have come instead.
            with contextlib.suppress(ssl.SSLError):
                self._tls.unwrap()
            with contextlib.suppress(OSError):
                self._flush()
        self._sock.shutdown(how)

    def close(self) -> None:
        """Close the socket, and say nothing."""
        self._sock.close()

    def _decrypt(self) -> tuple[bytes, bool]:
        """Return what can be decrypted now, and whether the peer has said that this is all."""
        pieces = []
        ended = False
        try:
            # OpenSSL reads no further ahead than the record it is at, so an empty BIO is all there is.
            while self._incoming.pending or self._tls.pending():
                piece = self._tls.read(_RECORD_BYTES)
                if not piece:
                    ended = True
                    break
                pieces.append(piece)
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            ended = True
        return (pieces[0] if len(pieces) == 1 else b"".join(pieces)), ended

    def _flush(self) -> bool:
        """Offer the kernel what is encrypted; return whether nothing is left of it."""
        if self._outgoing.pending:
            self._unsent += self._outgoing.read()
        if not self._unsent:
            return True
        with contextlib.suppress(BlockingIOError):
            self._unsent = self._unsent[self._sock.send(self._unsent) :]
        return not self._unsent

    def _fail(self, reason: str, cause: BaseException | None = None) -> NoReturn:
        self._failed = reason
        self._unsent = self._owed = b""
        raise ConnectionAbortedError(f"TLS: {reason}") from cause


def _reason(error: ssl.SSLError) -> str:
    """Return OpenSSL's word for what happened."""
    return (error.reason or type(error).__name__).lower()
