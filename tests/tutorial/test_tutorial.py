"""The tutorial as a stranger does it: its files written, its commands run in order, what they print compared.

Only four things differ: the ports, because others run beside this; the clone and its first `make run`, which would
build an environment; that "start it, then talk to it" waits until it listens; and that nobody waits for longer than it
takes to see it.  The stranger has a SWITCHBOARD_HOME already, and the page's files must come to lie there.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.domain.signing import signature_headers
from tests.embedded.running import GUARD_S, Running, running
from tests.support.programs import program
from tests.support.stack_settings import free_port
from tests.support.waiting import until

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "gateway" / "assistants" / "TUTORIAL.md"
HOME = "elsewhere"
#: Where the page's assistant listens.
ASSISTANT_PORT = 8100
#: Seconds that the slow answer takes: more than Slack waits for it.
LATE_S = 3
#: Seconds of silence behind the answers that each command waits for.
QUIET_S = 0.3
_BLOCK = re.compile(
    r"^(?:<!-- (?P<note>[^>]*) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL
)
#: What differs from run to run.
_TIMES = re.compile(r"\d+(\.\d+)? (s|ms)\b")
_NAMES = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  turn \d+")
_DONE = "--- done ---"


class Terminal:
    """A shell in which commands are typed one after the other."""

    def __init__(self, folder: Path, env: dict[str, str]) -> None:
        self._shell = subprocess.Popen(
            ["bash"], cwd=folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, start_new_session=True,
        )  # fmt: skip

    def run(self, command: str) -> tuple[list[str], int]:
        """Return what a command prints, and its status."""
        assert self._shell.stdin
        assert self._shell.stdout
        self._shell.stdin.write(f"{command}\necho '{_DONE}' $?\n")
        self._shell.stdin.flush()
        printed = []
        for line in self._shell.stdout:
            if line.startswith(_DONE):
                return printed, int(line.removeprefix(_DONE))
            printed.append(line.rstrip("\n"))
        raise AssertionError(f"the shell ended behind {command!r}: {printed}")

    def close(self) -> None:
        """End it, with whatever it has started."""
        os.killpg(self._shell.pid, signal.SIGKILL)
        self._shell.wait(GUARD_S)
        for pipe in (self._shell.stdin, self._shell.stdout):
            assert pipe
            pipe.close()


class Stranger:
    """Somebody who does what the page says."""

    def __init__(self, folder: Path, up: Iterator[Running]) -> None:
        self._folder = folder
        self._port = free_port()
        self._env = {**environment(), "SWITCHBOARD_HOME": str(folder / HOME)}
        self._terminal = Terminal(folder, self._env)
        self._up = up
        self.commands = 0

    def do(self, note: str, language: str, text: str) -> None:
        """Do what one block says."""
        text = text.replace(str(ASSISTANT_PORT), str(self._port)).replace("time.sleep(4)", f"time.sleep({LATE_S})")
        what, _, name = note.partition(": ")
        match what:
            case "file":
                (self._folder / name).write_text(text)
            case "add":
                (self._folder / name).write_text((ROOT / "config" / "switchboard.toml").read_text() + "\n" + text)
            case "change":
                self._change(self._folder / name, text)
            case "by hand":
                assert text.splitlines()[1:] == ["$ make run"]
            case "first terminal":
                assert text == "$ switchboard up\n"
                next(self._up)
            case "":
                assert language == "console"
                self._type(text)
            case _:
                raise AssertionError(f"the page notes {note!r}")

    def close(self) -> None:
        """Leave."""
        self._terminal.close()

    def _type(self, text: str) -> None:
        for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
            command, _, expected = part.partition("\n")
            quiet = f" --quiet {QUIET_S}" if " simulate " in command and "--quiet" not in command else ""
            printed, status = self._terminal.run(command + quiet)
            self.commands += 1
            assert _pattern(expected).fullmatch(_plain("\n".join([*printed, ""] if printed else []))), (
                f"$ {command}  (status {status})\nexpected:\n{expected}\ngot:\n" + "\n".join(printed)
            )
            if command.endswith("&"):
                until("the assistant", self._listens)
            elif command.startswith("kill"):
                until("its end", lambda: not self._listens())

    def _listens(self) -> bool:
        return _is_open(self._port)

    @staticmethod
    def _change(path: Path, diff: str) -> None:
        code = path.read_text()
        for hunk in diff.split("@@\n"):
            lines = hunk.splitlines(keepends=True)
            before = "".join(line[1:] for line in lines if line[0] in " -")
            after = "".join(line[1:] for line in lines if line[0] in " +")
            assert code.count(before) == 1, f"not there, or not once:\n{before}"
            code = code.replace(before, after)
        path.write_text(code)


def _is_open(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


def environment() -> dict[str, str]:
    """Return ours without what would configure a Switchboard."""
    ours = ("SWITCHBOARD_", "DATABASE_URL", "REDIS_URL", "BARTENDER_", "TASTED_", "PLATFORMS_", "HOST", "PORT")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def blocks() -> list[tuple[str, str, str]]:
    """Return each block of the page: what is noted above it, its language, its text."""
    return [(one["note"] or "", one["language"], one["text"]) for one in _BLOCK.finditer(PAGE.read_text())]


def _plain(text: str) -> str:
    return _NAMES.sub("#", _TIMES.sub("# \\2", text))


def _pattern(expected: str) -> re.Pattern[str]:
    """Three dots alone on a line stand for any lines."""
    return re.compile(
        "".join("(.*\n)*" if line == "..." else re.escape(_plain(line)) + "\n" for line in expected.splitlines())
    )


@pytest.fixture
def stranger(tmp_path: Path) -> Iterator[Stranger]:
    """In a folder that looks like a clone."""
    for path in ("gateway", "workers", ".venv"):
        (tmp_path / path).symlink_to(ROOT / path)
    assert Path(sys.executable).is_relative_to(ROOT / ".venv"), "the page's commands are those of .venv"
    home = tmp_path / HOME
    env = {"SWITCHBOARD_CONFIG": str(tmp_path / "packing.toml"), "SWITCHBOARD_HOME": str(home)}

    def up() -> Iterator[Running]:
        argv = [str(ROOT / ".venv" / "bin" / "switchboard"), "up"]
        with running(argv, env={**env, "PORT": str(free_port())}) as it:
            it.descendants()
            it.wait_for("Ctrl-C stops everything")
            it.descendants()
            try:
                yield it
            finally:
                it.signal(signal.SIGINT)
                it.wait_end()

    started = up()
    someone = Stranger(tmp_path, started)
    try:
        yield someone
    finally:
        someone.close()
        started.close()
        shutil.rmtree(home, ignore_errors=True)


def test_a_stranger_gets_what_the_page_says(stranger: Stranger) -> None:
    program("node")
    program("curl")
    for note, language, text in blocks():
        stranger.do(note, language, text)
    assert stranger.commands > 15


def test_the_first_program_has_thirty_lines_at_most() -> None:
    [code] = [text for note, _, text in blocks() if note == "file: packer.py"]
    assert len(code.splitlines()) <= 30


def test_the_second_program_reads_a_character_that_comes_in_two_pieces(tmp_path: Path) -> None:
    """A signature is over bytes, and the network cuts them anywhere."""
    [code] = [text for note, _, text in blocks() if note == "file: packer.mjs"]
    port, key = free_port(), b"k" * 32
    (tmp_path / "packer.mjs").write_text(code.replace(str(ASSISTANT_PORT), str(port)))
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "packer_signing").write_text(f"whsec_{base64.b64encode(key).decode()}\n")
    turn = {"message": {"kind": "text", "text": "caf\u00e9"}, "conversation": {"state": None}}
    body = json.dumps(turn, ensure_ascii=False).encode()
    signature = dict(signature_headers([key], message_id="turn_1_1", unix_s=int(time.time()), body=body))
    cut = body.index("\u00e9".encode()) + 1

    env = {**environment(), "SWITCHBOARD_HOME": str(tmp_path)}
    with subprocess.Popen([program("node"), "packer.mjs"], cwd=tmp_path, env=env) as server:
        try:
            until("the assistant", lambda: _is_open(port))
            caller = http.client.HTTPConnection("127.0.0.1", port, timeout=GUARD_S)
            # Each chunk is a piece of its own to who reads it.
            caller.request("POST", "/", iter([body[:cut], body[cut:]]), signature, encode_chunked=True)
            answer = json.load(caller.getresponse())
            caller.close()
        finally:
            server.kill()

    assert answer["state"] == {"things": ["caf\u00e9"]}


def test_links_lead_somewhere() -> None:
    for path in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", PAGE.read_text()):
        assert (PAGE.parent / path).resolve().exists(), path
