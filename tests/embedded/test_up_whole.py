"""`switchboard up` and the Procfile with all real parts: the two ways in which people start Switchboard."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

import psutil
import pytest
from slack_sdk.signature import SignatureVerifier

from gateway.embedded.home import Home
from gateway.embedded.programs import Plan
from tests.embedded.running import GUARD_S, ROOT, Running, running, wait_gone, words
from tests.support.ledger_view import LedgerView
from tests.support.stores import own_stores

BIN = Path(sys.executable).parent
READY = "Ready.  Things to try"
#: Handlers that are there only once the gateway is.
LATE_HANDLERS = """
import os, time, urllib.request
while True:
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{os.environ['PORT']}/readyz")
        break
    except OSError:
        time.sleep(0.02)
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def environment(home: Path, port: int) -> dict[str, str]:
    return {"SWITCHBOARD_HOME": str(home), "PORT": str(port)}


def production(folder: Path) -> Path:
    """Return a settings file as somebody writes it for bots of their own."""
    path = folder / "production.toml"
    path.write_text("""
        [assistants]
        bartender = {kind = "http", url = "http://127.0.0.1:1/turn", signing_secrets = ["env:TEST_SIGNING"]}
        [accounts.webchat]
        bartender = {assistant = "bartender", cookie_secrets = ["env:TEST_SECRET"]}
        [accounts.slack]
        bartender = {assistant = "bartender", signing_secrets = ["env:TEST_SECRET"], bot_token = "env:TEST_SECRET"}
        [accounts.telegram]
        bartender = {assistant = "bartender", secret_tokens = ["env:TEST_SECRET"], bot_token = "env:TEST_SECRET"}
        [accounts.alexa]
        bartender = {assistant = "bartender", skill_ids = ["amzn1.ask.skill.own"]}
    """)
    return path


def status(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def ask(port: int, home: Path, text: str) -> str:
    """Ask The Bartender as Slack would, with the secret that `up` made, and return what it answers."""
    fields = {"team_id": "T1", "channel_id": "C1", "user_id": "U1", "command": "/bartender", "text": text}
    fields |= {"response_url": "https://hooks.slack.com/commands/1", "trigger_id": f"{time.monotonic()}"}
    body, timestamp = urlencode(fields), str(int(time.time()))
    verifier = SignatureVerifier((home / "secrets" / "slack_bartender_signing").read_text())
    headers = {
        "Content-Type": "application/x-www-form-urlencoded",
        "X-Slack-Request-Timestamp": timestamp,
        "X-Slack-Signature": verifier.generate_signature(timestamp=timestamp, body=body) or "",
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.request("POST", "/hooks/slack/bartender", body, headers)
    answer = connection.getresponse().read().decode()
    connection.close()
    return answer


def simulated(home: Path, text: str) -> str:
    """Return what a user of Slack sees, by a command that is told where the home is and nothing else."""
    command = [str(BIN / "switchboard"), "simulate", "slack", "bartender", text, "--quiet", "0.5"]
    with running(command, env={"SWITCHBOARD_HOME": str(home)}) as it:
        assert it.wait_end() == 0, it.lines
    return "\n".join(it.lines)


def wait_ready(port: int) -> None:
    deadline = time.monotonic() + GUARD_S
    while status(port, "/readyz") != 200:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def left_in(home: Path) -> list[Path]:
    """Return the sockets and lock files below *home*."""
    return [path for path in home.rglob("*") if path.is_socket() or path.suffix in {".lock", ".pid"}]


def test_up_from_nothing_killed_and_up_again(tmp_path: Path) -> None:
    """One command brings everything up; kill -9 of it leaves nothing running; it comes up again, and stops clean."""
    port = free_port()
    command = [str(BIN / "switchboard"), "up"]
    (tmp_path / "late_handlers.py").write_text(LATE_HANDLERS)
    late = {"SWITCHBOARD_WORKER__HANDLERS": "late_handlers", "PYTHONPATH": f"{ROOT}:{tmp_path}"}
    with running(command, env=environment(tmp_path, port) | late) as it:
        it.wait_for(READY)
        assert LedgerView(Plan(Home(tmp_path), {}).environment["DATABASE_URL"]).live_workers() == 1
        assert status(port, "/healthz") == 200
        assert {status(port, path) for path in ("/", "/chat/bartender", "/chat/tasted")} == {200}
        assert "Daiquiri" in ask(port, tmp_path, "I have rum and lime")
        assert "Daiquiri" in simulated(tmp_path, "I have rum and lime")
        children = it.descendants()
        names = {name for process in children for name in words(process)}
        assert {"postgres", "redis-server", "workers", "gateway.wsgi:app"} <= names
        assert {"gateway.demo.bartender", "gateway.demo.tasted", "gateway.platforms"} <= names
        it.process.kill()
        wait_gone(children)

    with running(command, env=environment(tmp_path, port)) as it:
        it.wait_for(READY)
        assert "Daiquiri" in ask(port, tmp_path, "I have rum and lime")
        children = it.descendants()
        begin = time.monotonic()
        it.signal(signal.SIGINT)
        assert it.wait_end() == 0
        assert time.monotonic() - begin < 10

    wait_gone(children)
    assert [line.split()[-1] for line in it.lines if "| stopping" in line] == [
        "gateway",
        "worker",
        "platforms",
        "tasted",
        "bartender",
        "redis",
        "postgres",
    ]
    assert left_in(tmp_path) == []


@pytest.mark.slow
def test_two_copies_side_by_side(tmp_path: Path) -> None:
    """Another port and another home are all that a second copy needs; ending one leaves the other alone."""
    ports = [free_port(), free_port()]
    first, second = (
        running([str(BIN / "switchboard"), "up"], env=environment(tmp_path / str(port), port))
        for port in ports
    )
    with first as one, second as two:
        one.wait_for(READY)
        two.wait_for(READY)
        one.signal(signal.SIGTERM)
        assert one.wait_end() == 0
        assert status(ports[1], "/readyz") == 200
        two.signal(signal.SIGTERM)
        assert two.wait_end() == 0


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_everything_stops_with_make(tmp_path: Path, number: signal.Signals) -> None:
    """`make run` is the starter for whoever typed it: even kill -9 of make ends everything, in order."""
    with running(["make", "run"], env=environment(tmp_path, free_port())) as it:
        it.wait_for(READY)
        children = it.descendants()
        it.signal(number)
        it.process.wait(GUARD_S)
        wait_gone(children)
    assert left_in(tmp_path) == []


@pytest.mark.slow
def test_the_gateway_is_restarted_when_it_crashes(tmp_path: Path) -> None:
    """kill -9 of gunicorn's master is an incident, not the end: its workers go with it and it comes back."""
    port = free_port()
    with running([str(BIN / "switchboard"), "up"], env=environment(tmp_path, port)) as it:
        it.wait_for(READY)
        master = it.gateway_master()
        gunicorns = [master, *it.gateway_workers()]
        master.kill()
        it.wait_for("gateway ended with status -9; restarting it")
        wait_gone(gunicorns)
        wait_ready(port)
        it.signal(signal.SIGTERM)
        assert it.wait_end() == 0


@pytest.mark.slow
def test_the_procfile_works_under_honcho(tmp_path: Path) -> None:
    """With stores by URL and a file of one's own: `release` once, then `web` and `worker`.

    The working default is for trials, and is refused outside of `switchboard up`: its Alexa trusts a root of ours.
    """
    port = free_port()
    with own_stores() as stores:
        env = environment(tmp_path, port) | {
            "DATABASE_URL": stores.postgres.url(),
            "REDIS_URL": stores.redis.url,
            "SWITCHBOARD_CONFIG": str(production(tmp_path)),
            "TEST_SECRET": "0123456789abcdef" * 4,
            "TEST_SIGNING": "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
            "PATH": f"{BIN}:{os.environ['PATH']}",
        }
        with running(
            [str(BIN / "honcho"), "-f", str(ROOT / "Procfile"), "start", "release"], env=env
        ) as release:
            assert release.wait_end() == 0, release.lines
        web_and_worker = ["start", "--no-prefix", "-p", str(port), "web", "worker"]
        with running([str(BIN / "honcho"), "-f", str(ROOT / "Procfile"), *web_and_worker], env=env) as it:
            wait_ready(port)
            assert status(port, "/healthz") == 200
            children = it.descendants()
            stop(it, children)


def stop(it: Running, children: list[psutil.Process]) -> None:
    it.signal(signal.SIGTERM)
    it.wait_end()
    wait_gone(children)
