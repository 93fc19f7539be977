"""What `switchboard up` runs, on a test's stores: the working default, sample assistants, the platforms' stand-in."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
from click.testing import CliRunner, Result

from gateway.cli import main
from gateway.embedded.addresses import Addresses, keep
from gateway.embedded.home import Home
from gateway.embedded.process import Process
from gateway.embedded.programs import Plan
from gateway.embedded.secret_files import ensure_secrets
from gateway.settings.load import load
from tests.support.calling import call
from tests.support.ledger_view import LedgerView
from tests.support.stack_settings import free_port
from tests.support.waiting import GUARD_S, until

__all__ = ["CHANNELS", "TrialStack", "running_trial"]

#: Channels of which the working default has an account for The Bartender.
CHANNELS = ("alexa", "slack", "telegram", "webchat")
#: How long "invent one for me" takes here: longer than Slack waits for a command.
INVENT_S = 3.0
API_TOKEN = "a token of this test run"
#: Silence behind an answer: here the worker is on this machine, and nobody else's.
QUIET_S = 0.4
#: Paces of the platforms, of which waiting shows nothing: the stand-in takes what comes.
PACES = {
    f"SWITCHBOARD_ACCOUNTS__{channel}__{account}__{setting}": "100"
    for account in ("BARTENDER", "TASTED")
    for channel, setting in (
        ("SLACK", "CHANNEL_POSTS_PER_S"), ("TELEGRAM", "CHAT_MESSAGES_PER_S"), ("TELEGRAM", "GROUP_MESSAGES_BURST"),
    )
}  # fmt: skip


class Seen(msgspec.Struct):
    """A message of ``simulate --json``."""

    text: str
    controls: list[str]
    late: bool
    notes: list[str]
    kind: str


class Told(msgspec.Struct):
    """A delivery of ``simulate --json``."""

    what: str
    status: int
    body: str


class Simulated(msgspec.Struct):
    """What ``simulate --json`` says."""

    deliveries: list[Told]
    seen: list[Seen]


class TrialStack:
    """A copy that runs, and the commands of a second terminal beside it."""

    def __init__(self, home: Home, database_url: str, redis_url: str) -> None:
        self.ledger = LedgerView(database_url)
        self.home = home
        self.port = free_port()
        ensure_secrets(home.secrets)
        given = {
            **{name: text for name, text in os.environ.items() if not name.startswith("SWITCHBOARD_")},
            "DATABASE_URL": database_url,
            "REDIS_URL": redis_url,
            "PORT": str(self.port),
            "BARTENDER_INVENT_S": str(INVENT_S),
            **PACES,
            "SWITCHBOARD_OUTBOX__BACKOFF_BASE_S": "0.05",
            "SWITCHBOARD_SERVER__DRAIN_S": "0.5",
            "SWITCHBOARD_API__TOKENS": "env:TRIAL_API_TOKEN",
            "TRIAL_API_TOKEN": API_TOKEN,
        }
        plan = Plan(home, given)
        settings = load(None, plan.environment)
        # The stores are the test's; all others are started as `switchboard up` starts them.
        programs = [program for program in plan.groups(settings)[-1] if not program.once]
        self.processes = [Process(replace(each, log=home.log / f"{each.name}.log")) for each in programs]
        for process in self.processes:
            process.start()
        keep(home, Addresses(f"http://127.0.0.1:{self.port}", plan.stand_in))

    def wait_ready(self) -> None:
        """Return once everybody may be spoken to."""
        for process in self.processes:
            process.wait_ready(time.monotonic() + GUARD_S)
        until("the worker", lambda: self.ledger.live_workers() >= 1)

    @property
    def env(self) -> dict[str, str | None]:
        """What the second terminal is told: the home, and nothing else."""
        return {
            **{name: None for name in os.environ if name.startswith("SWITCHBOARD_") or name.endswith("_URL")},
            "SWITCHBOARD_HOME": str(self.home.root),
        }

    def run(self, *arguments: str, **more: str | None) -> Result:
        """Run a command."""
        return CliRunner().invoke(main, list(arguments), env={**self.env, **more})

    def simulate(self, *arguments: str, status: int = 0) -> Simulated:
        """Run ``simulate --json`` and return what it says."""
        result = self.run("simulate", "--quiet", str(QUIET_S), *arguments, "--json")
        assert result.exit_code == status, result.output
        return msgspec.json.decode(result.stdout, type=Simulated)

    def push(self, said: str, text: str) -> None:
        """Have *text* come by itself to the conversation in which *said* was said."""
        [turn] = self.ledger.wait_settled(said)
        path = f"/api/v1/conversations/{turn['conversation_id']}/messages"
        headers = {"Authorization": f"Bearer {API_TOKEN}", "Content-Type": "application/json"}
        body = msgspec.json.encode({"parts": [{"type": "text", "text": text}]})
        assert call(self.port, path, body=body, headers=headers).status == 202

    def logs(self) -> str:
        """Return the ends of all logs."""
        tails = {path.stem: path.read_text(errors="replace")[-3_000:] for path in sorted(self.home.log.glob("*.log"))}
        return "\n".join(f"---- {name}\n{tail}" for name, tail in tails.items())

    def stop(self) -> None:
        """Stop everything, in the reverse of its start."""
        for process in reversed(self.processes):
            process.stop(time.monotonic() + GUARD_S)


@contextlib.contextmanager
def running_trial(database_url: str, redis_url: str) -> Iterator[TrialStack]:
    """Run a copy until the block ends."""
    with tempfile.TemporaryDirectory(prefix="switchboard-trial-") as folder:
        home = Home(Path(folder) / "home")
        home.open(time.monotonic() + GUARD_S)
        stack = TrialStack(home, database_url, redis_url)
        try:
            stack.wait_ready()
            yield stack
        finally:
            stack.stop()
            home.close()
