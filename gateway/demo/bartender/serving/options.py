"""How the process is started: command line and environment, read once into one frozen value."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import get_args

import msgspec

from gateway.demo.bartender.serving.faults import FAULTS, Fault
from gateway.demo.serving.signature import signing_keys

__all__ = ["Options", "read_options"]

_ENVIRONMENT = """\
environment:
  BARTENDER_SIGNING_SECRET  whsec_... secrets or file:PATH of them, separated by spaces; with none, calls are
                            not verified
  BARTENDER_INVENT_S        how long "invent one for me" is told, in seconds (default 12)
  BARTENDER_FAULT           answer wrongly on purpose: slow, crash, not_json, wrong_schema, huge, endless
"""
_INVENT_MAX_S = 600.0


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen, whom to believe, and how slow or wrong to be."""

    host: str = "127.0.0.1"
    port: int = 0
    socket: str = ""
    signing_keys: tuple[bytes, ...] = ()
    invent_s: float = 12.0
    fault: Fault | None = None


def read_options(arguments: Sequence[str], environ: Mapping[str, str]) -> Options:
    """Return the options, or end the process with a line that says which one is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m gateway.demo.bartender",
        description="The Bartender: Switchboard's sample assistant.",
        epilog=_ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=0, help="port to listen on; 0 takes any free one")
    parser.add_argument("--socket", default="", help="unix socket to listen on, instead of a port")
    given = parser.parse_args(arguments)
    if not 0 <= given.port <= 65_535:
        parser.error(f"--port: expected 0 to 65535, got {given.port}")
    try:
        keys = signing_keys(environ.get("BARTENDER_SIGNING_SECRET", ""))
    except (OSError, ValueError) as error:
        parser.error(f"BARTENDER_SIGNING_SECRET: {error}")
    fault = environ.get("BARTENDER_FAULT", "")
    if fault and fault not in FAULTS:
        parser.error(f"BARTENDER_FAULT: expected one of {', '.join(get_args(Fault))}, got {fault!r}")
    return Options(
        host=given.host,
        port=given.port,
        socket=given.socket,
        signing_keys=keys,
        invent_s=_seconds(parser, environ.get("BARTENDER_INVENT_S") or "12"),
        fault=next((known for known in FAULTS if known == fault), None),
    )


def _seconds(parser: argparse.ArgumentParser, text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= _INVENT_MAX_S:
        parser.error(f"BARTENDER_INVENT_S: expected 0 to {_INVENT_MAX_S:.0f} seconds, got {text!r}")
    return seconds
