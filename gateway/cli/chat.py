"""``switchboard chat``: a conversation in the terminal, over web chat's own protocol.

Two threads: this one reads lines, the stream's shows what comes, whenever it comes.
"""

from __future__ import annotations

import io
import secrets
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

import click
import msgspec

from gateway.cli.given import Seconds, Words
from gateway.cli.trials import Trials, controls_text, gateway_option, said, seen_text, told
from gateway.platforms.base import Act, Control, Say, Scene, Seen, Tap
from gateway.platforms.calls import NotThere
from gateway.platforms.stream import Stream
from gateway.platforms.trial import Told, Trial, numbered
from gateway.platforms.webchat import accepted_seq, read
from gateway.settings.accounts import WebchatAccount

__all__ = ["chat"]

PROMPT = "> "
#: Deliveries of one message that the gateway refuses for the moment; our page goes on for ever.
TRIES_MAX = 6
_WAIT_S = Seconds(3_600, "an hour")


@click.command()
@click.argument("account")
@click.option("--user", default="you", show_default=True, type=Words(), help="Who speaks: one name is one person.")
@click.option("--new", is_flag=True, help="Begin a new conversation instead of going on with the last.")
@click.option("--wait", "wait_s", default=120.0, metavar="SECONDS", type=_WAIT_S, help="To wait for an answer (120).")
@gateway_option
def chat(*, account: str, user: str, new: bool, wait_s: float, gateway: str | None) -> None:
    """Speak with ACCOUNT of the web chat in this terminal.

    A number alone taps the button of that number (with a space in front it is said).  Ctrl-C stops waiting for an
    answer, which is shown when it comes; Ctrl-D ends.  Without a terminal each line of the input is said, and its
    answer written; the exit status is 1 if one of them got none.
    """
    trials = Trials(gateway)
    trial = trials.trial("webchat", account)
    thread = secrets.token_hex(8) if new else ""
    is_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if isinstance(sys.stdin, io.TextIOWrapper):
        # What is no text is said as well as it can be.
        sys.stdin.reconfigure(errors="replace")
    screen = _Screen(is_terminal=is_terminal)
    talk = _Talk(trial, trial.scene(user, thread), screen, wait_s)
    with told(trials):
        talk.start()
        try:
            is_well = _lines(talk, screen, is_terminal=is_terminal)
        finally:
            talk.stop()
    sys.exit(0 if is_well else 1)


def _lines(talk: _Talk, screen: _Screen, *, is_terminal: bool) -> bool:
    """Say each line; return whether all were answered."""
    is_well = True
    while True:
        try:
            line = screen.ask() if is_terminal else sys.stdin.readline()
        except KeyboardInterrupt:
            if not is_terminal:
                raise
            screen.show("")
            continue
        except EOFError:
            screen.show("")
            return is_well
        if not is_terminal and not line:
            return is_well
        if line.strip() and not talk.say(line.rstrip("\n")):
            is_well = False
            if not is_terminal:
                # An answer of nothing: who reads one for each line stays in step.
                screen.show("")


class _Screen:
    """What is on the terminal: the line that is being typed, and what comes above it."""

    def __init__(self, *, is_terminal: bool) -> None:
        self.is_terminal = is_terminal
        self._lock = threading.RLock()
        self._asks = False
        self._typed = _line_editor() if is_terminal else str
        #: What the previews of an answer have shown so far, and of which turn.
        self._previewed = ""
        self._preview_seq = 0

    def ask(self) -> str:
        """Return a line that was typed."""
        self._asks = True
        try:
            return input(PROMPT)
        finally:
            self._asks = False

    def show(self, text: str) -> None:
        """Show whole lines, above the one that is being typed."""
        with self._lock:
            self._end_preview()
            if not self._asks:
                click.echo(text)
                return
            sys.stdout.write(f"\r\033[K{text}\n{PROMPT}{self._typed()}")
            sys.stdout.flush()

    def remark(self, text: str) -> None:
        """Show what is no answer: where a program reads those, on stderr."""
        if self.is_terminal:
            self.show(text)
        else:
            click.echo(text.strip(), err=True)

    def preview(self, seq: int, piece: str) -> None:
        """Show a piece of an answer that is being written; nothing where nobody watches it grow."""
        with self._lock:
            if not self.is_terminal or self._asks:
                return
            if seq != self._preview_seq:
                self._preview_seq, self._previewed = seq, ""
            margin = "" if self._previewed else "  "
            self._previewed += piece
            sys.stdout.write(click.style(margin + said(piece), dim=True))
            sys.stdout.flush()

    def answer(self, seq: int, seen: Seen) -> None:
        """Show what stands: only its rest, if its previews have shown the beginning."""
        with self._lock:
            shown = self._previewed if seq == self._preview_seq else ""
            if shown.strip() and seen.text.startswith(shown.rstrip()):
                rest = seen.text[len(shown.rstrip()) :].lstrip("\n")
                seen = msgspec.structs.replace(seen, text=rest)
                if not seen_text(seen):
                    self._end_preview()
                    return
            # Where a program reads, a blank line ends an answer.
            self.show(seen_text(seen) if self.is_terminal else seen_text(seen, indent="") + "\n")

    def _end_preview(self) -> None:
        if self._previewed:
            sys.stdout.write("\n")
            self._previewed = ""


def _line_editor() -> Callable[[], str]:
    """Have input() edit lines and know the last ones; return what tells the line as far as it is typed."""
    # Its import is what does it, and writes to some terminals: so not where there is none.
    try:
        import readline
    except ImportError:
        return str
    return readline.get_line_buffer


class _Talk:
    """One conversation."""

    def __init__(self, trial: Trial, scene: Scene, screen: _Screen, wait_s: float) -> None:
        assert isinstance(trial.account, WebchatAccount)
        self._account = trial.account
        self._trial = trial
        self._scene = scene
        self._screen = screen
        self._wait_s = wait_s
        self._controls: tuple[Control, ...] = ()
        self._past: list[Seen] = []
        self._settled = threading.Condition()
        self._seq = 0
        self._stream = Stream(trial.gateway, self._account, scene, self._take)

    def start(self) -> None:
        """Read the stream, and show where the conversation stands.

        :raises NotThere: the gateway does not answer.
        """
        self._stream.start()
        if not self._screen.is_terminal:
            return
        self._screen.show(f"{self._account.title or self._account.name}.  Ctrl-D ends.")
        if self._past:
            self._screen.show(f"({len(self._past)} earlier answers; --new begins anew.)\n{seen_text(self._past[-1])}")
            return
        self._controls = tuple(Control(words, {"text": words}) for words in self._account.suggestions)
        lines = [*([self._account.greeting] if self._account.greeting else []), *controls_text(self._controls)]
        self._screen.show("\n".join(f"  {line}" for line in lines))

    def stop(self) -> None:
        """Hear no more."""
        self._stream.close()

    def say(self, line: str) -> bool:
        """Say *line* and return when its answer is there, or whether it is not."""
        act = self._act(line)
        if act is None:
            return True
        try:
            done = self._delivered(act)
            seq = accepted_seq(done.answer)
            if seq is None:
                for seen in done.seen:
                    self._screen.remark(seen_text(seen))
                return False
            return self._wait(seq)
        except NotThere as error:
            self._screen.remark(f"  (not sent: {error})")
        except KeyboardInterrupt:
            if not self._screen.is_terminal:
                raise
            self._screen.show("  (not waiting any more: the answer is shown when it comes)")
        return False

    def _act(self, line: str) -> Act | None:
        control = numbered(self._controls, line)
        if control is not None:
            if control.url:
                self._screen.show(f"  {said(control.label)}: {said(control.url)}")
                return None
            if self._screen.is_terminal:
                self._screen.show(f"  [{said(control.label)}]")
            return Tap(control)
        return Say(line.strip())

    def _delivered(self, act: Act) -> Told:
        scene = self._trial.scene(self._scene.user, self._scene.thread)
        delivery = self._trial.platform.deliver(self._account, scene, act)
        done = self._trial.make(delivery)
        for _ in range(TRIES_MAX - 1):
            # As our page does: the same id again, so it is one message however often it arrives.
            if done.answer.status not in (429, 503):
                break
            pause_s = float(done.answer.headers.get("retry-after") or 1)
            self._screen.remark(f"  (busy; again in {pause_s:g} s)")
            time.sleep(pause_s)
            done = self._trial.make(delivery)
        return done

    def _wait(self, seq: int) -> bool:
        with self._settled:
            is_answered = self._settled.wait_for(lambda: self._seq >= seq, self._wait_s)
        if not is_answered:
            self._screen.remark(f"  (no answer within {self._wait_s:g} s; it is shown when it comes)")
        return is_answered

    def _take(self, name: str, data: dict[str, Any]) -> None:
        """Show an event of the stream."""
        if name == "preview" and self._stream.is_ready:
            if data.get("kind") == "delta":
                self._screen.preview(data["seq"], data["text"])
        elif name == "displaced":
            self._screen.remark("  (opened elsewhere too often: nothing is shown here any more)")
        elif name == "turn" and data["seq"] > self._seq:
            self._settle(data)

    def _settle(self, turn: dict[str, Any]) -> None:
        if turn["parts"]:
            seen = read(turn["parts"])
            self._controls = seen.controls or self._controls
            if self._stream.is_ready:
                self._screen.answer(turn["seq"], seen)
            else:
                self._past.append(seen)
        with self._settled:
            self._seq = turn["seq"]
            self._settled.notify_all()
