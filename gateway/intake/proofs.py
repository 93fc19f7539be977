"""Documents that prove deliveries and must be fetched: certificates of a platform, once for all who wait for them.

    what does verify need? ─▶ is it kept? ─▶ fetch it, one greenlet for all ─▶ the channel reads it ─▶ keep what it read

Rules:

- Whoever calls has proved nothing yet.  So addresses are the channel's to check, and everything here is bounded: bytes,
  time, fetches at once, what is kept.  A document of a stranger's choice can push out no good one: failures are kept
  apart, and shortly.
- Closed: what cannot be fetched proves nothing, and its delivery is refused with 503, because that is not its fault.
  What is not there is a document without a byte, which is.
- A document is kept for an hour, and what was read of it for as long as it says that it is good, whichever is shorter.
  One that fails to prove something is fetched again sooner: a platform may put another at the same address.
- Nobody else waits for a second copy, and while none can be had the first one stands, for a day: that a server is
  silent says nothing against what it said before.  One that it says is not there any more ends at once.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from urllib.parse import urlsplit

from gevent.event import AsyncResult

from gateway import telemetry
from gateway.channels.base import NO_PROOFS, Proof, Proofs
from gateway.channels.bots import Bot
from gateway.domain.deadline import Deadline
from gateway.domain.errors import CallFailed, SwitchboardError, TryLater, Unauthentic
from gateway.domain.http import Request
from gateway.domain.resilience.priority import Priority
from gateway.rpc.call import Call, Service
from gateway.rpc.client import RpcClient

__all__ = ["DOCUMENT_BYTES_MAX", "FETCH_S", "Fetch", "ProofKeeper", "rpc_fetch"]

#: Gets a document: the address, bytes at most, until when.
Fetch = Callable[[str, int, Deadline], bytes]

#: Bytes of a document: a chain of four certificates has about 8,000.
DOCUMENT_BYTES_MAX = 65_536
#: Seconds for one document, all tries together: inside what any platform waits.
FETCH_S = 2.5
#: Seconds for which a document is kept.
_KEPT_S = 3_600.0
#: The same, where no other can be fetched.
_STANDS_S = 86_400.0
#: Seconds for which one is not doubted: whoever likes can have it fail to prove something.
_YOUNG_S = 60.0
#: Answers that say that there is no such document: S3 refuses what does not exist.
_GONE = frozenset({"http_403", "http_404", "http_410"})
#: Seconds for which it is not fetched again after that failed, or after what came was no proof.
_FAILED_S = 10.0
_DOCUMENTS_MAX = 64
_FAILURES_MAX = 256
_FETCHES_MAX = 8
_RETRY_AFTER_S = 2.0


def rpc_fetch(rpc: RpcClient) -> Fetch:
    """Return the way to fetch documents through *rpc*: no redirects, one more try."""

    def fetch(url: str, bytes_max: int, deadline: Deadline) -> bytes:
        parts = urlsplit(url)
        result = rpc.call(
            Call(
                service=Service(f"proof:{parts.netloc}", (f"{parts.scheme}://{parts.netloc}",)),
                method="GET",
                path=parts.path,
                deadline=deadline,
                idempotent=True,
                body_bytes_max=bytes_max,
                priority=Priority.HIGH,  # everything of this platform's waits for it
                retries_max=1,
            )
        )
        if result.status != 200:
            raise CallFailed(f"it was answered with {result.status}", reason=f"http_{result.status}", sent="answered")
        return result.body

    return fetch


class _Document:
    """What was fetched, and what each account's channel has read of it."""

    __slots__ = ("body", "fetched", "read")

    def __init__(self, body: bytes, fetched: float) -> None:
        self.body = body
        #: Monotonic seconds.
        self.fetched = fetched
        self.read: dict[tuple[str, str], Proof] = {}


class ProofKeeper:
    """Fetches and keeps them."""

    def __init__(
        self,
        fetch: Fetch,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fetch = fetch
        self._clock = clock
        self._documents: OrderedDict[str, _Document] = OrderedDict()
        #: By address, and by account too where its channel refused what was read: the error, and until when it stands.
        self._failures: OrderedDict[tuple[str, ...], tuple[SwitchboardError, float]] = OrderedDict()
        self._fetching: dict[str, AsyncResult[_Document]] = {}

    def __repr__(self) -> str:
        return f"<ProofKeeper of {len(self._documents)} documents, {len(self._failures)} failures>"

    def proofs(self, bot: Bot, request: Request, now_s: float, *, doubted: bool = False) -> Proofs:
        """Return what ``verify`` needs besides the request itself; mostly nothing.

        *doubted*: what is kept has failed to prove it, and is fetched again, unless that was done a moment ago.

        :raises Unauthentic: what was fetched proves nothing.
        :raises TryLater: it cannot be fetched now.
        """
        urls = bot.channel.proof_urls(request, bot.account)
        return {url: self._proof(bot, url, now_s, doubted=doubted).value for url in urls} if urls else NO_PROOFS

    def _proof(self, bot: Bot, url: str, now_s: float, *, doubted: bool) -> Proof:
        whose = bot.account.channel, bot.account.name
        self._raise_failure(url, *whose)
        document = self._document(url, doubted=doubted)
        # Another who waited for it may have read it.
        self._raise_failure(url, *whose)
        proof = document.read.get(whose)
        if proof is not None and proof.good_from_s <= now_s <= proof.good_until_s:
            return proof
        try:
            proof = bot.channel.read_proof(url, document.body, bot.account, now_s)
        except Unauthentic as error:
            self._fail((url, *whose), error)
            raise
        document.read[whose] = proof
        self._keep(url, document)
        return proof

    def _document(self, url: str, *, doubted: bool) -> _Document:
        known = self._documents.get(url)
        if known is None or self._clock() >= known.fetched + _STANDS_S:
            return self._awaited(url)
        is_fresh = self._clock() < known.fetched + (_YOUNG_S if doubted else _KEPT_S)
        if is_fresh or (url in self._fetching and not doubted):
            return known
        try:
            return self._awaited(url)
        except TryLater:
            if self._documents.get(url) is known:
                return known
            raise

    def _awaited(self, url: str) -> _Document:
        self._raise_failure(url)
        waiting = self._fetching.get(url)
        if waiting is not None:
            # Whoever fetches has an end: so does who waits for it.
            found = waiting.get()
            assert found is not None
            return found
        # One that was good once is the platform's and no stranger's: it is fetched whoever crowds the door.
        if len(self._fetching) >= _FETCHES_MAX and url not in self._documents:
            raise _later("as many documents as can be fetched at once are being fetched", "proof_fetches_full")
        fetching = self._fetching[url] = AsyncResult()
        try:
            document = self._fetched(url)
        except BaseException as error:
            # Not the killed greenlet's own end: others have done nothing to deserve it.
            fetching.set_exception(
                error if isinstance(error, SwitchboardError) else _later("its fetch was ended", "proof_unavailable")
            )
            raise
        finally:
            del self._fetching[url]
        fetching.set(document)
        return document

    def _fetched(self, url: str) -> _Document:
        try:
            body = self._fetch(url, DOCUMENT_BYTES_MAX, Deadline.after(FETCH_S, now=self._clock()))
        except (CallFailed, TryLater) as error:
            # Never the address: whoever called chose the end of it.
            if error.reason in _GONE:
                # Mostly somebody's invention, and nobody's to be alarmed by: the channel says what it proves.
                self._documents.pop(url, None)
                return _Document(b"", self._clock())
            telemetry.event("proof.unavailable", reason=error.reason)
            failure = _later(f"what proves the delivery cannot be fetched: {error}", "proof_unavailable")
            self._fail((url,), failure)
            raise failure from None
        return _Document(body, self._clock())

    def _keep(self, url: str, document: _Document) -> None:
        # Only what a channel has read and found good gets here.
        self._documents[url] = document
        self._documents.move_to_end(url)
        while len(self._documents) > _DOCUMENTS_MAX:
            self._documents.popitem(last=False)

    def _fail(self, key: tuple[str, ...], error: SwitchboardError) -> None:
        self._failures[key] = (error, self._clock() + _FAILED_S)
        self._failures.move_to_end(key)
        while len(self._failures) > _FAILURES_MAX:
            self._failures.popitem(last=False)

    def _raise_failure(self, *key: str) -> None:
        error, until = self._failures.get(key, (None, 0.0))
        if error is None:
            return
        if self._clock() < until:
            raise error.with_traceback(None)
        del self._failures[key]


def _later(message: str, reason: str) -> TryLater:
    return TryLater(message, reason=reason, retry_after_s=_RETRY_AFTER_S)
