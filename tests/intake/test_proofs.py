"""Documents that prove deliveries: fetched once for all who wait, kept for a time, and bounded in every way."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
import pytest
from gevent.event import Event

from gateway.channels.base import NO_PROOFS, Ordinary, Proof
from gateway.channels.bots import Bot
from gateway.domain.deadline import Deadline
from gateway.domain.errors import CallFailed, TryLater, Unauthentic
from gateway.domain.http import Request
from gateway.intake.proofs import DOCUMENT_BYTES_MAX, FETCH_S, ProofKeeper, rpc_fetch
from gateway.rpc.client import RpcClient
from gateway.settings.accounts import Account
from gateway.settings.rpc import RpcSettings
from tests.support.stand_in import StandIn, status
from tests.support.waiting import GUARD_S

GOOD_S = 1_000.0


class Certified(Ordinary):
    """A platform whose deliveries name the document that proves them, in their body."""

    def __init__(self) -> None:
        self.read: list[bytes] = []

    def proof_urls(self, request: Request, account: Account) -> tuple[str, ...]:
        return tuple(request.body.decode().split())

    def read_proof(self, url: str, document: bytes, account: Account, now_s: float) -> Proof:
        self.read.append(document)
        if not document or document.startswith(b"bad"):
            raise Unauthentic("no proof", reason="bad_document")
        return Proof(document.decode(), 0.0, GOOD_S)


class Slow:
    """A fetch that lasts until the test lets it go."""

    def __init__(self, bring: Callable[[str], bytes]) -> None:
        self._bring = bring
        self.arrived, self.go = Event(), Event()

    def __call__(self, url: str) -> bytes:
        self.arrived.set()
        assert self.go.wait(GUARD_S)
        return self._bring(url)


class House:
    """A keeper with its fetches, and the time, in the test's hands."""

    def __init__(self) -> None:
        self.channel = Certified()
        self.now = 0.0
        self.fetched: list[str] = []
        self.bring: Callable[[str], bytes] = lambda url: f"document of {url}".encode()
        self.keeper = ProofKeeper(self._fetch, clock=lambda: self.now)

    def _fetch(self, url: str, bytes_max: int, deadline: Deadline) -> bytes:
        assert (bytes_max, deadline.expires_at) == (DOCUMENT_BYTES_MAX, self.now + FETCH_S)
        self.fetched.append(url)
        return self.bring(url)

    def fetch_slowly(self, bring: Callable[[str], bytes]) -> Slow:
        self.bring = slow = Slow(bring)
        return slow

    def ask(
        self, urls: str = "a", *, account: str = "bot", now_s: float = 1.0, doubted: bool = False
    ) -> dict[str, object]:
        bot = Bot(self.channel, Account(channel="certified", name=account, assistant="any"))  # type: ignore[arg-type]
        return dict(self.keeper.proofs(bot, Request("POST", "/", "", {}, urls.encode()), now_s, doubted=doubted))


@pytest.fixture
def house() -> House:
    return House()


@contextmanager
def refused(reason: str) -> Iterator[None]:
    with pytest.raises((TryLater, Unauthentic)) as caught:
        yield
    assert caught.value.reason == reason


def away(url: str) -> bytes:
    raise CallFailed("nobody there", reason="connect_refused", sent="never")


def test_a_delivery_that_needs_nothing_is_given_nothing(house: House) -> None:
    ordinary = Bot(Ordinary(), Account(channel="c", name="bot", assistant="any"))  # type: ignore[arg-type]

    assert house.keeper.proofs(ordinary, Request("POST", "/", "", {}, b"a"), 1.0) is NO_PROOFS
    assert house.fetched == []


def test_what_was_fetched_and_read_is_kept(house: House) -> None:
    assert house.ask() == house.ask() == {"a": "document of a"}
    assert (house.fetched, len(house.channel.read)) == (["a"], 1)


def test_all_that_a_delivery_needs_is_fetched(house: House) -> None:
    assert house.ask("a b") == {"a": "document of a", "b": "document of b"}


def test_all_who_come_meanwhile_wait_for_one_fetch(house: House) -> None:
    slow = house.fetch_slowly(lambda _: b"x")
    asking = [gevent.spawn(house.ask, account=f"bot{n}") for n in range(5)]
    assert slow.arrived.wait(GUARD_S)
    gevent.idle()
    slow.go.set()

    assert [each.get(timeout=GUARD_S) for each in asking] == [{"a": "x"}] * 5
    assert house.fetched == ["a"]
    assert len(house.channel.read) == 5, "each is another account here"


def test_those_of_one_account_have_it_read_once(house: House) -> None:
    slow = house.fetch_slowly(lambda _: b"x")
    asking = [gevent.spawn(house.ask) for _ in range(5)]
    gevent.idle()
    slow.go.set()
    gevent.joinall(asking, timeout=GUARD_S, raise_error=True)

    assert house.channel.read == [b"x"]


def test_each_account_reads_it_by_its_own_settings(house: House) -> None:
    """Law: what one account trusts is not trusted for another."""
    house.ask(account="one")
    house.ask(account="two")

    assert (house.fetched, len(house.channel.read)) == (["a"], 2)


def test_it_is_fetched_again_after_an_hour(house: House) -> None:
    house.ask()
    house.now = 3_599.0
    house.ask()
    assert house.fetched == ["a"]
    house.now = 3_601.0
    house.ask()

    assert house.fetched == ["a", "a"]


def test_while_no_other_can_be_had_the_first_stands_for_a_day(house: House) -> None:
    """Law: that a server is silent says nothing against what it said before; but not for ever."""
    house.ask()
    house.bring = away
    house.now = 3_601.0
    assert house.ask() == house.ask() == {"a": "document of a"}
    assert house.fetched == ["a", "a"], "and is asked again after a pause"
    house.now = 3_612.0
    house.ask()
    assert house.fetched == ["a", "a", "a"]
    house.now = 86_401.0

    with refused("proof_unavailable"):
        house.ask()


@pytest.mark.parametrize("reason", ["http_403", "http_404", "http_410"])
def test_one_that_is_not_there_any_more_proves_nothing(house: House, reason: str) -> None:
    """Law: a platform that takes back its document is obeyed."""
    house.ask()
    house.now = 3_601.0

    def gone(url: str) -> bytes:
        raise CallFailed("it was answered", reason=reason, sent="answered")

    house.bring = gone
    for _ in range(2):
        with refused("bad_document"):
            house.ask()
    house.now += 11.0
    house.bring = away
    with refused("proof_unavailable"):
        house.ask()


def test_nobody_waits_for_a_second_copy(house: House) -> None:
    house.ask()
    house.now = 3_601.0
    slow = house.fetch_slowly(lambda _: b"new")
    first = gevent.spawn(house.ask)
    assert slow.arrived.wait(GUARD_S)
    assert house.ask() == {"a": "document of a"}
    slow.go.set()

    assert first.get(timeout=GUARD_S) == house.ask() == {"a": "new"}


def test_all_who_doubt_it_wait_for_the_second_copy(house: House) -> None:
    """Law: when a key was changed, none of those who bring the new one is refused by the old."""
    house.ask()
    house.now = 61.0
    slow = house.fetch_slowly(lambda _: b"new")
    asking = [gevent.spawn(house.ask, doubted=True) for _ in range(3)]
    assert slow.arrived.wait(GUARD_S)
    assert house.ask() == {"a": "document of a"}
    slow.go.set()

    assert [each.get(timeout=GUARD_S) for each in asking] == [{"a": "new"}] * 3
    assert house.fetched == ["a", "a"]


def test_what_was_fetched_a_moment_ago_is_not_fetched_again_however_much_it_is_doubted(house: House) -> None:
    house.ask()
    house.now = 59.0

    assert house.ask(doubted=True) == {"a": "document of a"}
    assert house.fetched == ["a"]


def test_a_second_copy_that_proves_nothing_is_refused(house: House) -> None:
    house.ask()
    house.now = 3_601.0
    house.bring = lambda _: b"bad"

    with refused("bad_document"):
        house.ask()


def test_those_who_waited_for_what_proves_nothing_do_not_read_it_again(house: House) -> None:
    slow = house.fetch_slowly(lambda _: b"bad")
    asking = [gevent.spawn(_reason, house) for _ in range(5)]
    gevent.idle()
    slow.go.set()

    assert [each.get(timeout=GUARD_S) for each in asking] == ["bad_document"] * 5
    assert len(house.channel.read) == 1


def test_out_of_its_time_it_is_read_anew(house: House) -> None:
    """Law: what was good is good for as long as it says; the document itself may be the same."""
    house.ask(now_s=GOOD_S)
    assert len(house.channel.read) == 1
    house.ask(now_s=GOOD_S + 1)

    assert (len(house.channel.read), house.fetched) == (2, ["a"])


def test_what_cannot_be_fetched_refuses_for_now_and_is_left_alone_shortly(house: House) -> None:
    house.bring = away
    with refused("proof_unavailable"):
        house.ask()
    house.bring = lambda _: b"x"
    house.now = 9.0
    with refused("proof_unavailable"):
        house.ask()
    assert house.fetched == ["a"]
    house.now = 11.0

    assert house.ask() == {"a": "x"}


def test_those_who_waited_for_it_are_refused_too(house: House) -> None:
    slow = house.fetch_slowly(away)
    asking = [gevent.spawn(_reason, house) for _ in range(3)]
    assert slow.arrived.wait(GUARD_S)
    gevent.idle()
    slow.go.set()

    assert [each.get(timeout=GUARD_S) for each in asking] == ["proof_unavailable"] * 3
    assert house.fetched == ["a"]


def test_one_who_is_killed_while_fetching_takes_nobody_along_for_good(house: House) -> None:
    arrived = Event()

    def hangs(url: str) -> bytes:
        arrived.set()
        Event().wait(GUARD_S)
        raise AssertionError

    house.bring = hangs
    first = gevent.spawn(_reason, house)
    assert arrived.wait(GUARD_S)
    second = gevent.spawn(_reason, house)
    gevent.idle()
    first.kill()

    assert second.get(timeout=GUARD_S) == "proof_unavailable"
    house.bring = lambda _: b"x"
    assert house.ask() == {"a": "x"}


def test_what_proves_nothing_is_refused_and_left_alone_shortly(house: House) -> None:
    house.bring = lambda _: b"bad"
    for _ in range(2):
        with refused("bad_document"):
            house.ask()
    assert (house.fetched, len(house.channel.read)) == (["a"], 1)
    house.now = 11.0
    house.bring = lambda _: b"good"

    assert house.ask() == {"a": "good"}


def test_strangers_addresses_push_out_nothing_good(house: House) -> None:
    """Law: whoever calls has proved nothing; a thousand documents of theirs cost the good one nothing."""
    house.ask("good")
    for n in range(1_000):
        house.bring = away if n % 2 else (lambda _: b"bad")
        with pytest.raises((TryLater, Unauthentic)):
            house.ask(f"stranger{n}")

    assert house.ask("good") == {"good": "document of good"}
    assert house.fetched.count("good") == 1
    assert "256 failures" in repr(house.keeper)


def test_only_so_many_are_kept(house: House) -> None:
    for n in range(100):
        house.ask(f"d{n}")

    assert "64 documents" in repr(house.keeper)


def test_only_so_many_are_fetched_at_once(house: House) -> None:
    slow = house.fetch_slowly(lambda _: b"x")
    asking = [gevent.spawn(house.ask, f"d{n}") for n in range(8)]
    gevent.idle()
    with refused("proof_fetches_full"):
        house.ask("another")
    slow.go.set()
    gevent.joinall(asking, timeout=GUARD_S, raise_error=True)

    assert house.ask("another") == {"another": "x"}


def test_one_that_was_good_before_is_fetched_whoever_crowds_the_door(house: House) -> None:
    """Law: strangers who keep every place taken do not keep the platform out when its document is an hour old."""
    house.ask("good")
    house.now = 3_601.0
    go = Event()

    def slow(url: str) -> bytes:
        if url != "good":
            assert go.wait(GUARD_S)
        return b"x"

    house.bring = slow
    strangers = [gevent.spawn(house.ask, f"stranger{n}") for n in range(8)]
    gevent.idle()
    assert house.ask("good") == {"good": "x"}
    go.set()
    gevent.joinall(strangers, timeout=GUARD_S, raise_error=True)


# The way through the RPC client


@pytest.fixture
def platform() -> Iterator[StandIn]:
    with StandIn(lambda call: call.answer(b"the chain", media="application/x-pem-file")) as running:
        yield running


@pytest.fixture
def rpc() -> Iterator[RpcClient]:
    client = RpcClient(RpcSettings())
    yield client
    client.stop(Deadline.after(1, now=time.monotonic()))


def fetch(rpc: RpcClient, url: str, bytes_max: int = DOCUMENT_BYTES_MAX) -> bytes:
    return rpc_fetch(rpc)(url, bytes_max, Deadline.after(FETCH_S, now=time.monotonic()))


def test_a_document_comes_through_the_rpc_client(rpc: RpcClient, platform: StandIn) -> None:
    assert fetch(rpc, f"{platform.origin}/echo.api/cert.pem") == b"the chain"
    assert [each.path for each in platform.calls] == ["/echo.api/cert.pem"]


@pytest.mark.parametrize("line", ["404 Not Found", "302 Found", "500 Internal Server Error"])
def test_only_200_is_a_document(rpc: RpcClient, platform: StandIn, line: str) -> None:
    platform.usually(status(line, b"", "Location: https://evil.example/"))

    with pytest.raises(CallFailed) as caught:
        fetch(rpc, f"{platform.origin}/a")
    assert caught.value.reason == f"http_{line[:3]}"


def test_a_document_without_end_is_none(rpc: RpcClient, platform: StandIn) -> None:
    platform.usually(lambda call: call.answer(b"x" * 2_000))

    with pytest.raises(CallFailed) as caught:
        fetch(rpc, f"{platform.origin}/a", bytes_max=1_000)
    assert caught.value.reason == "body_too_large"


def _reason(house: House) -> str:
    try:
        house.ask()
    except (TryLater, Unauthentic) as error:
        return error.reason
    return ""
