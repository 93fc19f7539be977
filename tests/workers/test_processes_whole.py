"""Real workers under their parent."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import time
from pathlib import Path

from tests.support.waiting import GUARD_S, until
from tests.workers.parents import family

#: Beats so rare that no death is found by them within a test: what is found is what the parent has said.
_SLOW_BEATS = {"lanes.beat_s": 30.0, "lanes.dead_after_s": 600.0, "lanes.lease_margin_s": 10.0}


def two_ports() -> int:
    """Return the first of two neighbouring ports that nobody listens on now."""
    while True:
        with socket.create_server(("127.0.0.1", 0)) as first, socket.socket() as second:
            port: int = first.getsockname()[1]
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


def metrics(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=GUARD_S)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    except ConnectionError:
        return ""
    finally:
        connection.close()


def test_workers_show_their_metrics_are_replaced_and_leave(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    """The order of a worker's end is its own: the parent only has to wait for it."""
    port = two_ports()
    settings = {"worker.processes": 2, "worker.metrics_port": port}
    with family(database, redis_url, tmp_path, settings=settings) as them:
        old = them.wait_living(2)
        for each in (port, port + 1):
            assert "switchboard_" in until("metrics", lambda each=each: metrics(each))  # type: ignore[misc]
        them.it.signal(signal.SIGHUP)
        them.wait_replaced(old)
        them.it.signal(signal.SIGTERM)
        assert them.it.wait_end() == 0
        assert not them.living()
        told = "\n".join(them.it.lines)
        assert told.count("worker.stopped") == 4
        assert "worker.declared_dead" not in told, "all had left by themselves"


def test_handlers_that_cannot_be_imported_end_it_with_one_message(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    """It names the setting, the module and the line: whoever wrote the handler needs no trace of ours."""
    with family(database, redis_url, tmp_path, settings={"worker.handlers": "./my_jobs"}) as them:
        assert them.it.wait_end() == os.EX_CONFIG
        [told] = [line for line in them.it.lines if "my_jobs" in line]
        assert told.startswith("worker.handlers: expected the name of a module")
        assert not any("Traceback" in line for line in them.it.lines)


def test_what_a_killed_worker_owned_is_run_elsewhere_at_once(
    database: str, redis_url: str, tmp_path: Path
) -> None:
    """A beat would have told after ten minutes."""
    with family(database, redis_url, tmp_path, settings={"worker.processes": 2, **_SLOW_BEATS}) as them:
        first, other = them.wait_living(2)
        until("both to own their share", lambda: them.owners() == {first: 16, other: 16})
        killed_at = time.monotonic()
        os.kill(first, signal.SIGKILL)
        heirs = until("owners of all", lambda: (found := them.owners()) and first not in found and found)
        print(f"all partitions were owned again {time.monotonic() - killed_at:.2f} s after the kill")
        assert other in heirs, "who was there takes them, and does not wait for the new one"
