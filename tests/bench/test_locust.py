"""locust itself: the whole of bench.locust and of bench.wrk against the real stack, briefly."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.contestants import answers, free_port
from bench.locust.__main__ import load
from bench.locust.outside import outside
from bench.locust.stack import ALEXA_CHAIN, ALEXA_KEY, certificates, deployment
from bench.needs import missing, peer_folder
from bench.stack import ROOT
from bench.wrk.__main__ import stage, take
from bench.wrk.deliveries import ACKNOWLEDGED
from tests.bench.locust_deployment import Deployment
from tests.support.waiting import until

LOCUSTFILE = str(ROOT / "bench" / "locust" / "conversations.py")

pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True, scope="module")
def locust() -> None:
    """Install it, or leave these out."""
    if lack := missing(("locust",)):
        pytest.skip(lack)


def test_everybody_is_answered_once_by_the_real_stack(tmp_path: Path) -> None:
    """On all channels, with commands, redeliveries, and new conversations while others go on."""
    folder, port = certificates(tmp_path), free_port()
    with (
        outside(folder) as around,
        deployment(tmp_path, assistant=around.assistant, stand_in=f"http://127.0.0.1:{port}") as running,
    ):
        often = ("--turns=3", "--commands=0.3", "--repeated=0.3")
        found, beside = load(running, tmp_path, port, users=40, rate=60.0, seconds=5.0, more=often)
    assert found.faults == 0, found.text
    assert {name: one.asked == one.answered > 30 for name, one in found.channels.items()} == dict.fromkeys(
        ("slack", "telegram", "alexa", "webchat"), True
    )
    assert found.conversations == 40
    assert found.generator.us_a_message > 0
    assert set(beside) == {"gateway", "worker", "postgres", "redis", "strangers"}


@pytest.mark.usefixtures("wrk")
def test_what_wrk_was_acknowledged_is_in_the_ledger() -> None:
    """Of each channel."""
    with stage() as (running, deliveries, ledger):
        for channel in ACKNOWLEDGED:
            taken = take(running, deliveries, ledger, channel, seconds=0.5)
            assert taken.faults == "", (channel, taken)
            assert taken.shot.requests > 0


def alone(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run locust as a person does."""
    env = {**os.environ, "PYTHONPATH": str(peer_folder("locust")), **variables}
    argv = [sys.executable, "-m", "locust", "-f", LOCUSTFILE, "--headless", "-u", "2", *arguments]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)


@contextlib.contextmanager
def running(argv: list[str], env: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    """Run it until the block ends, however it ends."""
    with subprocess.Popen(argv, env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_alone_it_says_all_that_is_missing() -> None:
    """And nothing of what channels need that nobody asked for."""
    ended = alone("SlackUser", "TelegramUser", LOAD_SLACK_ACCOUNT="load")
    assert ended.returncode == 78, ended.stderr
    assert "--host: expected where the gateway is, as https://HOST or http://HOST:PORT, got ''" in ended.stderr
    assert "slack: expected LOAD_SLACK_SIGNING_SECRET" in ended.stderr
    assert "telegram: expected LOAD_TELEGRAM_ACCOUNT" in ended.stderr
    assert "LOAD_ALEXA" not in ended.stderr


def test_alone_it_tells_what_it_has_when_it_is_interrupted() -> None:
    """And waits for the answers that are underway before."""
    deployment = Deployment("honest")
    env = {**os.environ, "PYTHONPATH": str(peer_folder("locust"))}
    argv = [
        sys.executable, "-m", "locust", "-f", LOCUSTFILE, "--headless", "-u", "2", "AlexaUser", "--rate=40",
        "--host", deployment.origin, "--stand-in-port=0", "--alexa-account=load", "--alexa-skill-id=s",
    ]  # fmt: skip
    with tempfile.TemporaryDirectory() as name:
        folder = certificates(Path(name))
        argv += [f"--alexa-key={folder / ALEXA_KEY}", f"--alexa-chain={folder / ALEXA_CHAIN}"]
        with running(argv, env) as process:
            until("ten messages have come", lambda: len(deployment.delivered) >= 10)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
    deployment.stop()
    assert process.returncode == 0, said
    assert "2 conversations" in said
    assert "each answered once, in order, in time" in said


def test_alone_a_deployment_that_is_not_there_is_a_failure() -> None:
    """Told by locust's own table and status."""
    ended = alone(
        "SlackUser", "--host", "http://127.0.0.1:1", "--rate=20", "--seconds=0.5", "--stand-in-port=0",
        LOAD_SLACK_ACCOUNT="load", LOAD_SLACK_SIGNING_SECRET="s",
    )  # fmt: skip
    assert ended.returncode == 1, ended.stderr
    assert "ConnectionRefusedError" in ended.stderr + ended.stdout
    assert "refused" in ended.stderr


def test_alone_a_run_in_which_nothing_was_said_is_a_failure() -> None:
    """It has proved nothing."""
    ended = alone(
        "SlackUser", "--host", "http://127.0.0.1:1", "--rate=0.001", "--seconds=0.2", "--stand-in-port=0",
        LOAD_SLACK_ACCOUNT="load", LOAD_SLACK_SIGNING_SECRET="s",
    )  # fmt: skip
    assert "slack: nothing was said" in ended.stderr
    assert ended.returncode == 1, ended.stderr


def test_alone_a_port_that_is_taken_is_told() -> None:
    """By the options that say which one it is."""
    deployment = Deployment("honest")
    port = deployment.origin.rpartition(":")[2]
    ended = alone(
        "SlackUser", "--host", deployment.origin, f"--stand-in-port={port}",
        LOAD_SLACK_ACCOUNT="load", LOAD_SLACK_SIGNING_SECRET="s",
    )  # fmt: skip
    deployment.stop()
    assert ended.returncode == 78, ended.stderr
    assert f"--stand-in-port: expected where calls can be taken, got 127.0.0.1:{port}: Address" in ended.stderr


def test_alone_its_page_starts_nothing_at_another_host() -> None:
    """What was told at the start is what everybody speaks to; and no secret is on the page."""
    deployment, port = Deployment("honest"), free_port()
    env = {**os.environ, "PYTHONPATH": str(peer_folder("locust"))}
    env |= {"LOAD_SLACK_ACCOUNT": "load", "LOAD_SLACK_SIGNING_SECRET": "nobody-shows-this"}
    argv = [
        sys.executable, "-m", "locust", "-f", LOCUSTFILE, "SlackUser", "--host", deployment.origin,
        "--stand-in-port=0", "--web-host=127.0.0.1", f"--web-port={port}",
    ]  # fmt: skip
    form = b"user_count=1&spawn_rate=1&host=http://127.0.0.1:1"
    with running(argv, env) as process:
        until("the page is there", lambda: answers(port))
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=30) as page:
            assert b"nobody-shows-this" not in page.read()
        urllib.request.urlopen(f"http://127.0.0.1:{port}/swarm", form, timeout=30).close()
        until("it is stopped", lambda: state_of(port) == "stopped")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    deployment.stop()
    assert f"expected the host that locust was started with, {deployment.origin}, got http://127.0.0.1:1" in said
    assert not deployment.delivered


def state_of(port: int) -> str:
    """Return what locust's page says that its run is."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats/requests", timeout=30) as answer:
        return str(json.load(answer)["state"])
