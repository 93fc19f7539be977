"""The worker class under gunicorn, with real processes: signals, endings, and what holds of gunicorn's settings."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.server.gunicorn_process import Gunicorn, running
from tests.server.raw import Caller
from tests.support.stack_settings import ROOT
from tests.support.waiting import until


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Gunicorn]:
    with running(tmp_path) as site:
        yield site


def ask(site: Gunicorn, path: str) -> Caller:
    return Caller(site.port).send(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())


def asked_slowly(site: Gunicorn) -> Caller:
    """Return a caller whose request runs until ``/let_go`` is asked for."""
    caller = ask(site, "/slow")
    site.wait_mark("slow")
    return caller


def test_term_ends_in_order(site: Gunicorn) -> None:
    """The request that runs is answered, a caller without one is told, the stream is told where to go; then the
    application stops."""
    with asked_slowly(site) as running, ask(site, "/events") as stream, ask(site, "/echo") as idle:
        idle.answer()
        until("the stream", lambda: b"event-stream" in stream.received or not stream.is_silent())
        site.terminate()
        site.wait_mark("drain")
        # A second order of the same kind changes nothing.
        os.kill(site.worker_pid(), signal.SIGTERM)
        assert idle.send(b"GET /let_go HTTP/1.1\r\nHost: a\r\n\r\n").answer().closes
        assert running.answer().closes
        assert stream.answer().body == b"retry: 10\n\n"
        assert site.wait_end() == 0
    assert site.marks() == ["slow", "drain", "stream ended", "stop"]


def test_quit_ends_at_once_but_in_order(site: Gunicorn) -> None:
    with asked_slowly(site) as running, ask(site, "/events") as stream:
        until("the stream", lambda: not stream.is_silent())
        site.signal(signal.SIGQUIT)
        assert site.wait_end() == 0
        assert running.ends()
        assert stream.answer().body in {b"retry: 10\n\n", b"retry: 20\n\n"}, "whoever came first"
    assert site.marks()[-1] == "stop"


def test_int_shortens_a_drain(site: Gunicorn) -> None:
    """A person presses Ctrl-C once more."""
    with asked_slowly(site) as running:
        site.terminate()
        site.wait_mark("drain")
        site.signal(signal.SIGINT)
        assert site.wait_end() == 0
        assert running.ends()
    assert site.marks() == ["slow", "drain", "stop"]


def test_an_order_to_stop_is_heard_while_a_worker_starts(tmp_path: Path) -> None:
    """The master gives it once, perhaps a moment after it has made the worker."""
    site = Gunicorn(tmp_path, "--workers", "2")
    try:
        until("a worker", lambda: not site.ended() and len(site.worker_pids()) == 2)
        site.terminate()
        assert site.wait_end() == 0
    finally:
        site.stop()


#: gunicorn's file.  The first worker is told to stop before Python runs in it, the second one between the fork and its
#: start; the third, whose log file has been set aside, is told to open it anew.  A worker's age is its number.
ORDERS_AT_BIRTH = """
import os, signal
age = 0

def pre_fork(server, worker):
    global age
    age = worker.age

def told_as_soon_as_it_lives():
    if age == 1:
        os.kill(os.getpid(), signal.SIGTERM)

# Of several such functions the one that was registered first runs first: before the worker's own.
os.register_at_fork(after_in_child=told_as_soon_as_it_lives)

def post_fork(server, worker):
    if age == 2:
        os.kill(os.getpid(), signal.SIGTERM)
    if age == 3:
        os.rename(os.environ["LOG"], os.environ["LOG"] + ".1")
        os.kill(os.getpid(), signal.SIGUSR1)
"""


def test_an_order_at_the_birth_of_a_worker_is_heard(tmp_path: Path) -> None:
    """Each is given once, and the handlers that a fork inherits are the master's."""
    config, log, old = tmp_path / "orders.py", tmp_path / "errors.log", tmp_path / "errors.log.1"
    config.write_text(ORDERS_AT_BIRTH)
    site = Gunicorn(tmp_path, "-c", str(config), "--error-logfile", str(log), env={"LOG": str(log)})
    try:
        until("a third worker", lambda: old.exists() and log.exists())
        assert site.marks() == ["drain", "stop"] * 2
        assert "Worker (pid:" not in old.read_text(), "both ended in order"
    finally:
        site.stop()


def test_a_drain_that_fails_takes_nobodys_turn(tmp_path: Path) -> None:
    with running(tmp_path, env={"FAULTS": "drain_raises stop_raises"}) as site, asked_slowly(site) as caller:
        with ask(site, "/echo") as idle:
            idle.answer()
            site.terminate()
            site.wait_mark("drain")
            assert idle.send(b"GET /let_go HTTP/1.1\r\nHost: a\r\n\r\n").answer().closes
        assert caller.answer().closes
        site.wait_end()
        assert site.marks() == ["slow", "drain", "stop"]
        assert "RuntimeError: drain" in site.said()
        assert "RuntimeError: stop" in site.said()


def test_a_drain_that_lasts_has_its_time_and_the_stop_its_own(tmp_path: Path) -> None:
    """The application uses up the grace time; its stop still comes before the master's kill."""
    with running(tmp_path, "--graceful-timeout", "2", env={"FAULTS": "drain_lasts stop_lasts"}) as site:
        site.terminate()
        assert site.wait_end() == 0
        assert site.marks() == ["drain", "stop"]
        assert "SIGKILL" not in site.said()


def test_an_application_that_has_limits_says_how_long_the_drain_is(tmp_path: Path) -> None:
    with running(tmp_path, env={"FAULTS": "limited"}) as site, asked_slowly(site) as caller:
        site.terminate()
        assert caller.ends()
        assert site.wait_end() == 0
        assert site.marks() == ["slow", "drain", "stop"]


def test_a_loop_that_stands_still_is_found_and_told(tmp_path: Path) -> None:
    """The log says where it stands, and another worker takes over."""
    with running(tmp_path, "--timeout", "1") as site:
        pid = site.worker_pid()
        with ask(site, "/stands_still"):
            site.wait_gone(pid)
        assert "the event loop has not run for 1 s" in site.said()
        assert "in _stands_still" in site.said()
        until("another worker", site.answers)
        assert site.worker_pid() != pid


def test_usr1_opens_the_log_files_anew(tmp_path: Path) -> None:
    log = tmp_path / "errors.log"
    with running(tmp_path, "--error-logfile", str(log), "--log-level", "info") as site:
        log.rename(tmp_path / "errors.log.1")
        os.kill(site.worker_pid(), signal.SIGUSR1)
        until("a new file", log.exists)
        assert site.call("/echo", b"still here").body == b"still here"


def test_hup_is_the_masters(site: Gunicorn) -> None:
    """``pkill -HUP gunicorn`` reaches the workers as well, whose requests are not to end by it."""
    with asked_slowly(site) as caller:
        os.kill(site.worker_pid(), signal.SIGHUP)
        assert site.call("/let_go").status == 200
        assert caller.answer().status == 200


def test_a_worker_leaves_when_its_master_is_gone(site: Gunicorn) -> None:
    pid = site.worker_pid()
    os.kill(site.pid, signal.SIGKILL)
    site.wait_gone(pid)
    assert site.marks() == ["drain", "stop"]


def test_max_requests_replaces_the_worker(tmp_path: Path) -> None:
    with running(tmp_path, "--max-requests", "3") as site:
        pid = site.worker_pid()
        until("three requests", lambda: site.call("/echo").status == 200 and site.marks())
        site.wait_gone(pid)
        until("the next worker", site.answers)
        assert site.marks()[:2] == ["drain", "stop"]


def test_a_process_that_gives_up_ends_in_order_with_its_status(site: Gunicorn) -> None:
    """As gateway.supervision does: gunicorn starts another one."""
    pid = site.worker_pid()
    with ask(site, "/events") as stream:
        until("the stream", lambda: not stream.is_silent())
        ask(site, "/gives_up").close()
        site.wait_gone(pid)
        assert b"retry: " in stream.rest()
    until("the next worker", site.answers)
    assert "exited with code 70" in site.said()
    assert site.marks()[-1] == "stop"


@pytest.mark.parametrize(
    ("options", "faults", "says"),
    [
        ((), "load_raises", "expected to be loaded, got a fault"),
        (("--certfile", "/dev/null"), "", "SSLError"),
        (("--proxy-protocol", "v1"), "", "does not read the PROXY protocol"),
    ],
)
def test_what_cannot_work_ends_instead_of_starting_again_and_again(
    tmp_path: Path, options: tuple[str, ...], faults: str, says: str
) -> None:
    site = Gunicorn(tmp_path, *options, env={"FAULTS": faults})
    try:
        assert site.wait_end() != 0
        assert says in site.said()
    finally:
        site.stop()


def test_a_wrong_drain_is_named_with_the_other_problems_of_the_settings(tmp_path: Path) -> None:
    """gunicorn's file reads it first, and would end with a traceback."""
    env = {"SWITCHBOARD_SERVER__DRAIN_S": "soon", "SWITCHBOARD_SERVER__HEADERS_MAX": "-5"}
    conf = str(ROOT / "config" / "gunicorn.conf.py")
    site = Gunicorn(tmp_path, "-c", conf, application="gateway.wsgi:app", env=env)
    try:
        assert site.wait_end() != 0
        assert "server.drain_s (SWITCHBOARD_SERVER__DRAIN_S): expected a number" in site.said()
        assert "server.headers_max" in site.said()
        assert "Traceback" not in site.said()
    finally:
        site.stop()


def test_settings_that_do_nothing_are_named(tmp_path: Path) -> None:
    with running(tmp_path, "--keep-alive", "5") as site:
        assert "gunicorn's keepalive means nothing to this worker" in site.said()
        assert "worker_connections" not in site.said()


def test_a_crash_of_an_application_without_sinks_of_its_own_is_in_the_log(site: Gunicorn) -> None:
    """The caller is told that the log says why."""
    assert site.call("/no_such_route").status == 500
    [line] = [line for line in site.said().splitlines() if "request.crashed" in line]
    assert "[ERROR]" in line
    assert "reason=AttributeError" in line
    assert "worker_app.py" in line


def test_nothing_is_said_without_a_reason(site: Gunicorn) -> None:
    """From the start to the end, at the level at which we run it."""
    site.call("/echo")
    site.terminate()
    assert site.wait_end() == 0
    lines = [line for line in site.said().splitlines() if "[INFO]" not in line]
    assert lines == []
