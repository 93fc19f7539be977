"""The log sink: the two forms of a line, levels, and what no line may do."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway import telemetry
from gateway.settings.accounts import Account
from gateway.settings.logs import LoggingSettings
from gateway.settings.secret import Secret
from gateway.telemetry import logs
from gateway.telemetry.catalogue import CATALOGUE, Level


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@contextmanager
def logging_to(
    stream: io.StringIO, settings: LoggingSettings, accounts: Sequence[Account] = ()
) -> Iterator[None]:
    """Configure logging as at boot; afterwards the root logger is as pytest left it."""
    root, own = logging.getLogger(), logging.getLogger(logs.LOGGER)
    handlers, levels = list(root.handlers), (root.level, own.level)
    sink = logs.configure(settings, stream, accounts=accounts)
    telemetry.attach(sink)
    try:
        yield
    finally:
        telemetry.detach(sink)
        root.handlers[:] = handlers
        root.setLevel(levels[0])
        own.setLevel(levels[1])


def test_an_event_is_one_json_object() -> None:
    stream = io.StringIO()
    with logging_to(stream, LoggingSettings(format="json")):
        telemetry.event("delivery.refused", channel="slack", account="bartender", reason="stale")

    line = json.loads(stream.getvalue())
    assert list(line)[:3] == ["ts", "level", "event"]
    assert line.pop("ts").endswith("Z")
    assert line == {
        "level": "warning",
        "event": "delivery.refused",
        "channel": "slack",
        "account": "bartender",
        "reason": "stale",
    }


def test_an_account_is_written_with_its_tenant() -> None:
    """But what names no account, or one that the settings do not have, is written as it is."""
    acme = Account(channel="slack", name="bar", assistant="a", tenant="acme")
    stream = io.StringIO()
    with logging_to(stream, LoggingSettings(format="json"), [acme]):
        telemetry.event("delivery.refused", channel="slack", account="bar", reason="stale")
        telemetry.event("delivery.refused", channel="slack", account="gone", reason="stale")
        telemetry.event("proof.unavailable", reason="timeout")

    named, gone, other = map(json.loads, stream.getvalue().splitlines())
    assert (named["account"], named["tenant"]) == ("bar", "acme")
    assert "tenant" not in gone
    assert "tenant" not in other


def test_a_terminal_gets_lines_for_a_person() -> None:
    stream = Terminal()
    with logging_to(stream, LoggingSettings(level="debug", format="auto")):
        telemetry.event(
            "turn.settled",
            channel="slack",
            account="bartender",
            state="answered",
            reason="",
            duration_s=0.01234,
        )

    assert stream.getvalue()[13:] == (
        f"{CATALOGUE['turn.settled'].level:<7} turn.settled           "
        "channel=slack account=bartender state=answered duration_s=0.01234\n"
    )


def test_the_level_decides_which_events_are_written() -> None:
    """Every event of the catalogue, at every level: its own level and above it is written, the rest is not."""
    levels: list[Level] = ["debug", "info", "warning", "error"]
    for index, level in enumerate(levels):
        stream = io.StringIO()
        with logging_to(stream, LoggingSettings(level=level, format="json")):
            for name, event in CATALOGUE.items():
                telemetry.event(name, **dict.fromkeys(event.fields, 0))

        written = [json.loads(line)["event"] for line in stream.getvalue().splitlines()]
        assert written == [name for name, event in CATALOGUE.items() if event.level in levels[index:]]


def test_anothers_logger_gets_text_at_its_own_level() -> None:
    stream = io.StringIO()
    logger = logging.getLogger("of a library")
    logger.setLevel(logging.INFO)
    logger.addHandler(logging.StreamHandler(stream))
    sink = logs.PlainSink(logger)
    telemetry.attach(sink)
    try:
        assert telemetry.attached()
        telemetry.event("connection.dropped", reason="a debug event")
        telemetry.event("server.cut_off", answering=1, arriving=0)
    finally:
        telemetry.detach(sink)
    assert stream.getvalue() == "server.cut_off answering=1 arriving=0\n"


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_librarys_record_is_a_line_too_with_the_places_of_its_error_and_not_its_words(form: str) -> None:
    """Flask tells of a view that failed with the whole of the error, whose text may quote a user."""
    stream = io.StringIO()
    with logging_to(stream, LoggingSettings(format=form)):  # type: ignore[arg-type]
        logging.getLogger("gunicorn.error").info("noise")
        try:
            int("tell nobody")
        except ValueError:
            logging.getLogger("gunicorn.error").exception("worker %s failed: %s", 3, "x" * 9_000)

    line, rest = stream.getvalue().split("\n", 1)
    assert rest == ""
    assert "gunicorn.error" in line
    assert "worker 3 failed" in line
    assert "ValueError in tests/telemetry/test_logs.py:" in line
    assert "tell nobody" not in line
    assert len(line) < 2 * logs.VALUE_CHARS_MAX


@given(st.text(st.characters(codec=None), max_size=4_000))
@example("\ud800")
@example("a=b\nts=now\x00\u2028")
@example("x" * 4_000)
def test_no_value_breaks_a_line_or_floods_it(text: str) -> None:
    """Line feeds, NUL, lone surrogates, ``=``: an event stays one line that can be written, and is bounded."""
    for form in ("json", "text"):
        stream = io.StringIO()
        with logging_to(stream, LoggingSettings(format=form)):
            telemetry.event("store.unavailable", reason=text)

        line, rest = stream.getvalue().split("\n", 1)
        assert rest == ""
        assert len(line.encode()) < 12 * logs.VALUE_CHARS_MAX


def test_a_secret_given_by_mistake_is_not_shown() -> None:
    for form in ("json", "text"):
        stream = io.StringIO()
        with logging_to(stream, LoggingSettings(format=form)):
            telemetry.event("store.unavailable", reason=Secret("hunter2"))

        assert "hunter2" not in stream.getvalue()
