"""The locustfile: ``locust -f bench/locust/conversations.py --host https://HOST [SlackUser TelegramUser ...]``.

Users of the classes that are named, or of all four; ``python -m bench.locust.options`` lists what they must be told,
bench/README.md what the deployment must be.  One process: answers arrive where their question left.
"""

from __future__ import annotations

import gc
import sys
import time
from argparse import Namespace
from pathlib import Path
from typing import Any

import gevent
from locust import events

# locust knows the folder of this file, and not what that is a part of.
sys.path.insert(0, str(Path(__file__).parents[2]))

from bench.locust.options import add_options, problems
from bench.locust.run import Run
from bench.locust.users import AlexaUser, Conversation, SlackUser, TelegramUser, WebchatUser

__all__ = ["AlexaUser", "SlackUser", "TelegramUser", "WebchatUser"]

#: ``os.EX_CONFIG``.
_MISFIT = 78


def _begin(environment: Any, **_: Any) -> None:
    """Make what users share, or say all that is missing."""
    given: Namespace = environment.parsed_options
    channels = [user.channel for user in environment.user_classes]
    found = problems(channels, given, environment.host or "")
    if given.master or given.worker:
        found.insert(0, "expected one process: answers arrive at the one stand-in, and only it would know of them")
    if found:
        _end(*found, "For some channels alone name their users: SlackUser, TelegramUser, AlexaUser, WebchatUser.")

    def tell(channel: str, what: str, took_ms: float | None, wrong: str) -> None:
        environment.events.request.fire(
            request_type=channel,
            name=what,
            response_time=took_ms,
            response_length=0,
            exception=RuntimeError(wrong) if wrong else None,
            context={},
        )

    try:
        run = Run(environment.host, channels, given, tell)
    except OSError as error:
        where = f"{given.stand_in_host}:{given.stand_in_port}"
        _end(f"--stand-in-host, --stand-in-port: expected where calls can be taken, got {where}: {error.strerror}")
    Conversation.run_of_all = run
    environment.events.spawning_complete.add_listener(lambda user_count, **_: _open(run, user_count))
    environment.events.test_stopping.add_listener(lambda **_: run.close())
    environment.events.quitting.add_listener(lambda **_: _conclude(run, environment))
    environment.events.test_start.add_listener(lambda **_: _refuse_another(run, environment))
    if given.seconds:
        gevent.spawn(_stop_after, run, environment.runner, given.seconds)


def _open(run: Run, users: int) -> None:
    # What is there stays: to look through it again and again would be pauses of ours in everybody's latencies.
    gc.collect()
    gc.freeze()
    if not run.expect(users):
        sys.stderr.write(f"expected {run.users} users from the first message on, got {users}: the plan stays theirs\n")


def _conclude(run: Run, environment: Any) -> None:
    # An interrupt comes here first, before locust has stopped anybody.
    run.close()
    run.report()
    if not run.summary().messages:
        # Nothing went wrong because nothing was said: that proves nothing.
        environment.process_exit_code = 1


def _refuse_another(run: Run, environment: Any) -> None:
    # By locust's page one could start again what has been stopped, or ask for another host.
    if run.is_over:
        sys.stderr.write("One run for each process: its numbers, its stand-in and its answers are over.\n")
    elif environment.host != run.host:
        sys.stderr.write(f"expected the host that locust was started with, {run.host}, got {environment.host}\n")
    else:
        return
    # As soon as locust goes on behind this, which would still make users.
    gevent.spawn(environment.runner.stop)


def _stop_after(run: Run, runner: Any, seconds: float) -> None:
    run.opened.wait()
    gevent.sleep(run.began_s + seconds - time.perf_counter())
    runner.quit()


def _end(*sentences: str) -> None:
    sys.stderr.write("".join(f"{sentence}\n" for sentence in sentences))
    sys.exit(_MISFIT)


events.init_command_line_parser.add_listener(add_options)
events.init.add_listener(_begin)
