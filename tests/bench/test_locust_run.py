"""Runs against deployments that answer wrongly: each habit is found out, an honest one is not blamed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent.server import StreamServer

from bench.locust.__main__ import conclude
from bench.locust.platforms.webchat import Webchat
from bench.locust.run import Run
from bench.locust.speakers import SPEAKERS
from bench.locust.summary import Summary
from bench.locust.visitor import Stream
from bench.locust.watch import Clock, Watch
from bench.report import Report
from gateway.embedded.trial_authority import ALEXA_CHAIN, ALEXA_KEY, alexa_trial
from tests.bench.locust_deployment import Deployment
from tests.bench.locust_options import given
from tests.support.waiting import until

CHANNELS = ("slack", "telegram", "alexa")
USERS = 12


@pytest.fixture(scope="module")
def alexa(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A skill's key and chain, in files."""
    folder: Path = tmp_path_factory.mktemp("alexa")
    for name, text in alexa_trial().items():
        (folder / name).write_text(text)
    return {"alexa_key": str(folder / ALEXA_KEY), "alexa_chain": str(folder / ALEXA_CHAIN)}


class Played:
    """A run that is over."""

    def __init__(self, habit: str, alexa: dict[str, str], channels: tuple[str, ...], **more: object) -> None:
        self.told: Counter[tuple[str, str, str]] = Counter()
        #: Milliseconds of answers that were told to locust.
        self.told_ms: dict[str, list[float | None]] = defaultdict(list)
        self.deployment = Deployment(habit)
        accounts = {"slack_account": "load", "telegram_account": "load", "alexa_account": "load", "alexa_skill_id": "s"}
        asked = {"rate": 150, "turns": 50, "commands": 0, "repeated": 0, "patience_s": 20, **accounts, **alexa, **more}
        run = Run(self.deployment.origin, channels, given(**asked), self._tell, breath_s=0.02, doubles_s=0.02)
        self.deployment.reply_to(run.stand_in)
        speakers = [SPEAKERS[channels[user % len(channels)]](run) for user in range(USERS)]
        greenlets = [gevent.spawn(self._speak, run, speaker) for speaker in speakers]
        run.expect(USERS)
        run.opened.wait()
        gevent.sleep(0.25)
        run.close()
        gevent.killall(greenlets)
        self.deployment.stop()
        self.summary: Summary = run.summary()

    def _speak(self, run: Run, speaker: Any) -> None:
        speaker.enter()
        while not run.is_over:
            gevent.sleep(speaker.wait_s())
            speaker.speak()

    def _tell(self, channel: str, what: str, took_ms: float | None, wrong: str) -> None:
        self.told[channel, what, wrong] += 1
        if what == "answer":
            self.told_ms[wrong].append(took_ms)

    def faults(self, channel: str) -> set[str]:
        one = self.summary.channels[channel]
        kinds = ("lost", "doubled", "swapped", "wrong", "refused")
        return {kind for kind in kinds if getattr(one, kind)}


def test_an_honest_deployment_is_not_blamed(alexa: dict[str, str]) -> None:
    """Every message is answered, on every channel, and its time is told."""
    played = Played("honest", alexa, CHANNELS, repeated=0.5)
    assert played.summary.faults == 0, played.summary.text
    for one in played.summary.channels.values():
        assert one.asked == one.answered > 3
        assert 0 < one.p50_ms <= one.p99_ms <= one.max_ms
    assert max(played.deployment.delivered.values()) == 2, "nothing was delivered again"
    assert {wrong for _, _, wrong in played.told} == {""}


@pytest.mark.parametrize(
    ("habit", "fault"),
    [
        ("losing", {"lost"}),
        ("doubling", {"doubled"}),
        ("forgetful", {"doubled"}),
        ("swapping", {"swapped"}),
        ("babbling", {"wrong", "lost"}),
        ("straying", {"wrong", "lost"}),
        ("shedding", {"refused"}),
    ],
)
def test_a_habit_is_found_out(habit: str, fault: set[str], alexa: dict[str, str]) -> None:
    """By what it does to messages; and locust is told of each."""
    # Nobody waits for long for what will not come; for all else however long a busy machine takes.
    more = {"patience_s": 0.3} if "lost" in fault or habit == "swapping" else {}
    played = Played(habit, {}, ("slack", "telegram"), repeated=0.5 if habit == "forgetful" else 0, **more)
    found = played.faults("slack") | played.faults("telegram")
    # What was held back for a message that never came is lost besides.
    assert found - ({"lost"} if habit == "swapping" else set()) == fault, played.summary.text
    named = {wrong for _, _, wrong in played.told if wrong}
    assert {kind for kind in fault if kind != "refused"} <= named
    for wrong, took_ms in played.told_ms.items():
        # What was no answer has no time: locust's percentiles are of those that came.
        assert all((took is not None) == (wrong in ("", "late", "swapped")) for took in took_ms), wrong
    if habit == "shedding":
        assert "status 503" in named


def test_what_alexa_says_is_looked_at(alexa: dict[str, str]) -> None:
    """Her answers come in the response."""
    assert Played("babbling", alexa, ("alexa",), patience_s=0.3).faults("alexa") == {"wrong", "lost"}


def test_a_generator_that_is_really_saturated_says_so() -> None:
    """Asked for more than anybody can send, it has no time left, whoever has the core."""
    saturated = Played("honest", {}, ("slack", "telegram"), rate=200_000, turns=10_000).summary
    assert saturated.limit.startswith("limited by the generator: it used "), saturated.text
    assert saturated.generator.busy_share > 0.95
    assert saturated.text.endswith(f"{saturated.limit}\n")


@pytest.mark.parametrize(
    ("share", "waited_share", "late_s", "limit"),
    [
        (0.1, 0.1, 0.01, ""),
        (0.1, 0.3, 0.01, ""),
        (0.8, 0.1, 0.08, "limited by the generator: a hundredth of all messages left 80 ms late or more; "),
        (0.1, 0.3, 0.08, "disturbed: others had the generator's core, and a hundredth of all messages left 80 ms late"),
        (0.9, 0.1, 0.08, "limited by the generator: it used 90% of its core and waited for it for 10% of the time"),
        (0.6, 0.4, 0.08, "limited by the generator: it used 60% of its core and waited for it for 40% of the time"),
    ],
)
def test_a_generator_whose_core_others_had_was_disturbed(
    share: float, waited_share: float, late_s: float, limit: str
) -> None:
    """It is not blamed for that; with no time left it was the limit besides."""
    watch = Watch()
    watch.woke(late_s)
    found = watch.generator(Clock(0.0, 0.0, 0.0), Clock(10.0, 10 * share, 10 * waited_share), messages=1).limit
    assert found.startswith(limit)
    assert bool(found) == bool(limit)
    assert ("disturbed: others had" in found) == (bool(limit) and waited_share > 0.15)


@pytest.mark.parametrize(("strangers", "told"), [(0.1, False), (0.4, True)])
def test_strangers_beside_a_run_are_told(strangers: float, told: bool) -> None:
    """As beside every benchmark."""
    report, found = Report("bench.locust", quick=True), a_summary(rate=100.0)
    conclude(report, found, {"gateway": 0.3, "strangers": strangers})
    assert ("disturbed: other processes used 40% of a core" in report.notes) == told
    assert "of a core meanwhile: gateway 30%; gateway and worker share one, the others the generator's" in report.notes


@pytest.fixture
def streaming() -> Iterator[tuple[StreamServer, list[bytes]]]:
    """A page's stream, that breaks after its first answer; and what asked for it."""
    asked: list[bytes] = []

    def stream(connection: Any, _: object) -> None:
        asked.append(connection.recv(4096))
        seq = len(asked)
        data = b'event: ready\ndata: {}\n\nevent: turn\nid: %d\ndata: {"seq":%d,"parts":[{"text":"Said %d"}]}\n\n'
        said = data % (seq, seq, seq)
        chunk = b"%x\r\n%b\r\n" % (len(said), said)
        connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk[:20])
        connection.sendall(chunk[20:] + (b"0\r\n\r\n" if seq == 1 else b""))
        if seq > 1:
            connection.recv(1)

    server = StreamServer(("127.0.0.1", 0), stream)
    server.start()
    yield server, asked
    server.stop()


def test_a_visitor_reads_on_behind_what_they_have_read(streaming: tuple[StreamServer, list[bytes]]) -> None:
    """Over as many connections as it takes; and no longer than somebody waits."""
    server, asked = streaming
    origin = f"http://127.0.0.1:{server.server_port}"
    run = Run(origin, ("webchat",), given(reply="Said {number}"), lambda *_: None, doubles_s=0.0)
    for number in (1, 2):
        run.desk.ask(("webchat", "7"), number, 0.0)
    stream = Stream(run, Webchat(account="load"), "cookie=1", "7", again_s=0.01)
    stream.start()
    stream.retire()
    until("both are answered", lambda: run.desk.open_n == 0)
    assert [b"Last-Event-ID: 1\r\n" in each for each in asked] == [False, True]
    assert b"GET /chat/load/events?chat=main HTTP/1.1\r\n" in asked[0]
    assert b"Cookie: cookie=1\r\n" in asked[0]
    run.close()
    assert run.summary().faults == 0


def a_summary(*, rate: float) -> Summary:
    """Return a run of 100 messages a second, of which *rate* left, and none went wrong."""
    generator = Watch().generator(Clock(0.0, 0.0, 0.0), Clock(10.0, 1.0, 0.0), messages=600)
    return Summary(
        conversations=10, asked_rate=100.0, rate=rate, channels={}, generator=generator, limit="", began_s=0.0
    )  # fmt: skip


@pytest.mark.parametrize(("rate", "missed"), [(99.0, False), (60.0, True), (0.0, True)])
def test_a_rate_that_was_not_kept_is_no_success(rate: float, missed: bool) -> None:
    """Though everybody who spoke was answered: fewer spoke than it says, or nobody."""
    report = Report("bench.locust", quick=True)
    conclude(report, a_summary(rate=rate), {})
    assert [goal.name for goal in report.goals if not goal.ok] == [
        "messages that left, of those that were meant to"
    ] * missed
