"""How the process is started."""

from __future__ import annotations

import base64
from pathlib import Path

import pytest

from gateway.demo.bartender.serving.options import Options, read_options

KEYS = (b"newer secret: 32 bytes of a test", b"older secret: 32 bytes of a test")
SECRETS = tuple("whsec_" + base64.b64encode(key).decode() for key in KEYS)


def test_nothing_given_is_enough() -> None:
    """Any free port of this machine, nobody verified, twelve seconds for an invention."""
    assert read_options([], {}) == Options(host="127.0.0.1", port=0, invent_s=12.0)


def test_all_is_read(tmp_path: Path) -> None:
    """Arguments and environment; secrets as they are, or from a file."""
    (tmp_path / "older").write_text(f"{SECRETS[1]}\n")
    environ = {
        "BARTENDER_SIGNING_SECRET": f"{SECRETS[0]} file:{tmp_path}/older",
        "BARTENDER_INVENT_S": "0.5",
        "BARTENDER_FAULT": "slow",
    }

    assert read_options(["--host", "::1", "--port", "8090"], environ) == Options(
        host="::1", port=8090, signing_keys=KEYS, invent_s=0.5, fault="slow"
    )


@pytest.mark.parametrize(
    ("arguments", "environ", "problem"),
    [
        (["--port", "99999"], {}, "--port: expected 0 to 65535, got 99999"),
        ([], {"BARTENDER_FAULT": "lazy"}, "BARTENDER_FAULT: expected one of slow, crash"),
        ([], {"BARTENDER_INVENT_S": "nan"}, "BARTENDER_INVENT_S: expected 0 to 600 seconds, got 'nan'"),
        ([], {"BARTENDER_INVENT_S": "-1"}, "BARTENDER_INVENT_S"),
        ([], {"BARTENDER_SIGNING_SECRET": "hunter2"}, "BARTENDER_SIGNING_SECRET: expected whsec_"),
        ([], {"BARTENDER_SIGNING_SECRET": "file:/nowhere/at/all"}, "No such file"),
    ],
)
def test_a_mistake_is_one_line(
    arguments: list[str], environ: dict[str, str], problem: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The process ends at once, says which option is wrong, and shows no secret."""
    with pytest.raises(SystemExit) as ended:
        read_options(arguments, environ)

    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert problem in said
    assert "hunter2" not in said
