"""Coverage-guided fuzzing of the server's border: ``make fuzz SECONDS=60``.

atheris invents bytes and keeps those that reach lines or comparisons of ``gateway.server`` which none reached before.
It begins with the requests of ``tests/server/reading.py``.  What it found is kept between runs, and a failure too: the
last lines name the file, which is run again by itself with ``python -m tests.fuzz.fuzz_http FILE``.

The first byte of an input says in how many places the rest is cut, two bytes each follow where.  Whole and cut it has
to mean the same, within all bounds, and raise nothing; see ``tests/server/reading.py`` for what is checked.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

__all__ = ["one_input", "packed"]

CORPUS = Path(".hypothesis") / "fuzz_http"
_CUTS_MAX = 7
_INPUT_BYTES_MAX = 2_000
#: What an inventor of bytes would need long to come upon, because llhttp, which is not Python, looks at it.
_WORDS = (
    *(
        "HTTP/1.1",
        "HTTP/1.0",
        "HTTP/2.0",
        "RTSP/1.0",
        "ICE/1.0",
        "\\x0d\\x0a",
        "\\x0d\\x0a\\x0d\\x0a",
        "GET ",
        "HEAD ",
    ),
    *(
        "POST ",
        "PUT ",
        "OPTIONS * ",
        "CONNECT a:1 ",
        "SOURCE ",
        "http://a/",
        "Host: a",
        "Content-Length: ",
        "%00",
        "%ff",
    ),
    *(
        "Transfer-Encoding: ",
        "chunked",
        "0\\x0d\\x0a\\x0d\\x0a",
        ";a=b",
        "Expect: ",
        "100-continue",
        "Connection: ",
    ),
    *(
        "close",
        "keep-alive",
        "upgrade",
        "Upgrade: x",
        "Cookie: a=b",
        "X_A: b",
        "X-Forwarded-For: 10.0.0.1",
        "Forwarded: ",
    ),
    *("X-Forwarded-Proto: https", "[::1]:80", "Content-Type: ", "\\x00", "\\x09", "\\xff"),
)


def packed(data: bytes, cuts: Iterable[int] = ()) -> bytes:
    """Return the input that is *data*, cut at *cuts*."""
    places = list(cuts)[:_CUTS_MAX]
    return bytes([len(places)]) + b"".join(place.to_bytes(2, "big") for place in places) + data


def one_input(packed: bytes) -> None:
    """Read one input, whole and cut."""
    from tests.server.reading import assert_same, read, split

    count = packed[0] % (_CUTS_MAX + 1) if packed else 0
    cuts = [int.from_bytes(packed[1 + 2 * at : 3 + 2 * at], "big") for at in range(count)]
    data = packed[1 + 2 * count :]
    assert_same(read([data]), read(split(data, cuts)))


def main() -> None:
    """Fuzz for some seconds, or run one file again."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("file", nargs="?", type=Path)
    parser.add_argument("--seconds", type=int, default=60)
    arguments = parser.parse_args()
    if arguments.file is not None:
        one_input(arguments.file.read_bytes())
        return
    # Not a part of the development environment: `make fuzz` installs it.
    import atheris

    with atheris.instrument_imports(include=["gateway.server"]):
        from tests.server.reading import SEEDS
    CORPUS.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS):
        (CORPUS / f"seed-{number}").write_bytes(packed(seed + SEEDS[0], [1, len(seed) - 2, len(seed) + 1]))
    words = CORPUS.with_suffix(".words")
    words.write_text("".join(f'"{word}"\n' for word in _WORDS))
    options = [
        f"-max_total_time={arguments.seconds}",
        f"-max_len={_INPUT_BYTES_MAX}",
        f"-dict={words}",
        f"-artifact_prefix={CORPUS.with_name('fuzz_http-')}",
        "-timeout=10",
        "-use_value_profile=1",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], *options, str(CORPUS)], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
