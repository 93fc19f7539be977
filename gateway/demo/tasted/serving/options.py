"""How the process is started: command line and environment, read once into one frozen value."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence

import msgspec

from gateway.demo.serving.signature import signing_keys

__all__ = ["Options", "read_options"]

_ENVIRONMENT = """\
environment:
  TASTED_SIGNING_SECRET  whsec_... secrets or file:PATH of them, separated by spaces; with none, calls are not verified
  TASTED_PUBLIC_URL      where platforms fetch pictures, as https://tasted.example.org; without it pictures are shown
                         in web chat alone, whose users sit at this machine (http://127.0.0.1:PORT)
"""
_PUBLIC_URL = re.compile(r"https?://[^\s/?#<>\"']+(?:/[^\s?#<>\"']*)?")


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """Where to listen, whom to believe, and where pictures are fetched.  ``port`` None: on the socket alone."""

    host: str = "127.0.0.1"
    port: int | None = 0
    socket: str = ""
    signing_keys: tuple[bytes, ...] = ()
    public_url: str = ""


def read_options(arguments: Sequence[str], environ: Mapping[str, str]) -> Options:
    """Return the options, or end the process with a line that says which one is wrong."""
    parser = argparse.ArgumentParser(
        prog="python -m gateway.demo.tasted",
        description="Tasted: Switchboard's sample assistant for cooks.",
        epilog=_ENVIRONMENT,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1)")
    parser.add_argument("--port", type=int, help="port to listen on; 0, the default without --socket, takes any")
    parser.add_argument("--socket", default="", help="unix socket to listen on, instead of a port or beside it")
    given = parser.parse_args(arguments)
    port = given.port if given.port is not None or given.socket else 0
    if port is not None and not 0 <= port <= 65_535:
        parser.error(f"--port: expected 0 to 65535, got {port}")
    try:
        keys = signing_keys(environ.get("TASTED_SIGNING_SECRET", ""))
    except (OSError, ValueError) as error:
        parser.error(f"TASTED_SIGNING_SECRET: {error}")
    url = environ.get("TASTED_PUBLIC_URL", "").rstrip("/")
    if url and not _PUBLIC_URL.fullmatch(url):
        parser.error(f"TASTED_PUBLIC_URL: expected an address as https://tasted.example.org, got {url!r}")
    return Options(host=given.host, port=port, socket=given.socket, signing_keys=keys, public_url=url)
