"""The log sink: events and the libraries' own log records, as JSON lines or as lines for a person, on stderr.

An event that names an account is written with the account's tenant, which is looked up here: nobody who emits one
need know it, and where the line is not written nothing is looked up.

One line per event.  A JSON line begins with ``ts`` (UTC), ``level`` and ``event``; a library's record has
``logger`` and ``message`` instead of ``event``, and of an error that it comes with what is told of our own crashes: its
text may quote a user.  A text value is cut at ``VALUE_CHARS_MAX``, so that no field can flood the log.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable
from typing import Any, TextIO

import msgspec

from gateway.domain.text import clean
from gateway.settings.accounts import Account
from gateway.settings.logs import LoggingSettings
from gateway.telemetry.catalogue import Event
from gateway.telemetry.crash import trace
from gateway.telemetry.emit import Writer

__all__ = ["JsonFormatter", "LogSink", "PlainSink", "TextFormatter", "configure"]

#: Enough for a short traceback in ``detail``.
VALUE_CHARS_MAX = 2_000
LOGGER = "switchboard"


class LogSink:
    """Writes each event whose level is switched on to the logger ``switchboard``."""

    def __init__(self, logger: logging.Logger, accounts: Iterable[Account] = ()) -> None:
        self._logger = logger
        self._tenants = {(each.channel, each.name): each.tenant for each in accounts}

    def writer(self, event: Event) -> Writer | None:
        """Return a writer bound to the event's name and level; None below the logger's level."""
        logger, name, tenants = self._logger, event.name, self._tenants
        level = _level(event)
        if not logger.isEnabledFor(level):
            return None
        has_tenant = bool(tenants) and {"channel", "account"} <= set(event.fields)

        def write(fields: dict[str, Any]) -> None:
            if has_tenant:
                # One that is not in the settings (any more) has none.
                tenant = tenants.get((fields["channel"], fields["account"]))
                fields = fields if tenant is None else {**fields, "tenant": tenant}
            # A record made here: Logger.log would walk the stack for a file name that is always this one.
            record = logging.LogRecord(LOGGER, level, "", 0, name, None, None)
            record.__dict__["fields"] = fields
            logger.handle(record)

        return write


class PlainSink:
    """Writes each event whose level is switched on as text to a logger of somebody else's, in that one's form."""

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger

    def writer(self, event: Event) -> Writer | None:
        """Return a writer bound to the event's name and level; None below the logger's level."""
        logger, name, level = self._logger, event.name, _level(event)
        if not logger.isEnabledFor(level):
            return None
        return lambda fields: logger.log(level, "%s %s", name, _pairs(fields))


class JsonFormatter(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as JSON."""
        line: dict[str, Any] = {"ts": _utc(record), "level": record.levelname.lower()}
        fields: dict[str, Any] | None = getattr(record, "fields", None)
        if fields is None:
            line["logger"] = record.name
            line["message"] = _plain(record.getMessage())
            if record.exc_info and record.exc_info[1] is not None:
                line["detail"] = trace(record.exc_info[1])
        else:
            line["event"] = record.msg
            for key, value in fields.items():
                line[key] = _plain(value)
        return msgspec.json.encode(line).decode()


class TextFormatter(logging.Formatter):
    """Time, level, event and ``key=value`` pairs: for a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        """Return *record* as a line for a person."""
        head = f"{_utc(record)[11:23]} {record.levelname.lower():<7} "
        fields: dict[str, Any] | None = getattr(record, "fields", None)
        if fields is None:
            text = f"{head}{record.name}: {_plain(record.getMessage())}"
            error = record.exc_info[1] if record.exc_info else None
            return text if error is None else f"{text} detail={trace(error)!r}"
        return f"{head}{record.msg:<22} {_pairs(fields)}".rstrip()


def configure(
    settings: LoggingSettings, stream: TextIO | None = None, *, accounts: Iterable[Account] = ()
) -> LogSink:
    """Send all logging of this process to *stream* (stderr) in the form of *settings*; return the sink to
    attach.  The tenants of *accounts* are named in it.
    """
    out = sys.stderr if stream is None else stream
    as_json = settings.format == "json" or (settings.format == "auto" and not out.isatty())
    handler = logging.StreamHandler(out)
    handler.setFormatter(JsonFormatter() if as_json else TextFormatter())
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
    root.addHandler(handler)
    # The libraries' informational records are noise beside our events; their warnings are not.
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[settings.level.upper()]))
    logger = logging.getLogger(LOGGER)
    logger.setLevel(settings.level.upper())
    return LogSink(logger, accounts)


def _level(event: Event) -> int:
    return logging.getLevelNamesMapping()[event.level.upper()]


def _pairs(fields: dict[str, Any]) -> str:
    return " ".join(f"{key}={_short(value)}" for key, value in fields.items() if value != "")


def _utc(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return round(value, 6)
    text = clean(str(value))
    return text if len(text) <= VALUE_CHARS_MAX else text[:VALUE_CHARS_MAX] + "…"


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    text = str(_plain(value))
    # A quoted form wherever the text could be taken for another pair or another line.
    return repr(text) if not text.isprintable() or " " in text or "=" in text else text
