"""Secrets come from references only, and no text that we make shows one."""

from __future__ import annotations

import json
import pickle
import traceback
from pathlib import Path

import msgspec
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from gateway.settings.load import SettingsError
from gateway.settings.references import SECRET_BYTES_MAX
from gateway.settings.secret import Secret
from tests.settings.folder import BASE, Folder

#: No control characters, because TOML and the environment cannot hold them all.
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), min_size=1, max_size=200)

SLACK = BASE + '[accounts.slack.bartender]\nassistant = "bartender"\n'


def test_a_secret_is_read_from_the_environment_or_a_file(folder: Folder) -> None:
    (folder.root / "token").write_text("xoxb-1\n")
    toml = SLACK + 'signing_secrets = ["env:NEW", "env:OLD"]\nbot_token = "file:token"\n'
    slack = folder.load(toml, NEW="s1", OLD="s0").accounts["slack", "bartender"]

    assert [one.reveal() for one in slack.signing_secrets] == ["s1", "s0"]  # type: ignore[attr-defined]
    assert slack.bot_token.reveal() == "xoxb-1"  # type: ignore[attr-defined]


def test_an_absolute_path_is_not_seen_from_home(folder: Folder) -> None:
    path = folder.root / "elsewhere"
    path.mkdir()
    (path / "token").write_text("xoxb-1")
    slack = folder.load(SLACK + f'bot_token = "file:{path}/token"\n').accounts["slack", "bartender"]

    assert slack.bot_token.reveal() == "xoxb-1"  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "cannot read {path}: No such file or directory"),
        (b"", "{path} is empty"),
        (b"\n", "{path} is empty"),
        (b"\xff\xfe", "{path} is not UTF-8 text"),
        (b"x" * (SECRET_BYTES_MAX + 1), "{path} is larger than 65536 bytes"),
    ],
    ids=["missing", "empty", "blank", "binary", "huge"],
)
def test_a_file_without_a_secret_is_a_problem(folder: Folder, content: bytes | None, problem: str) -> None:
    path = folder.root / "token"
    if content is not None:
        path.write_bytes(content)

    assert folder.problems(SLACK + 'bot_token = "file:token"\n') == [
        "accounts.slack.bartender.bot_token: " + problem.format(path=path)
    ]


def test_a_variable_without_a_secret_is_a_problem(folder: Folder) -> None:
    for environ in ({}, {"TOKEN": ""}):
        assert folder.problems(SLACK + 'bot_token = "env:TOKEN"\n', **environ) == [
            "accounts.slack.bartender.bot_token: the environment variable TOKEN is not set"
        ]


@given(secret=TEXTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_literal_is_refused_and_never_shown(folder: Folder, secret: str) -> None:
    """Wherever it is written by mistake: in a list, outside its list, under a wrong name, in the environment.

    The error is the same for every secret, so it tells nothing of one: not its text, not its length.
    """
    assume(not secret.startswith(("env:", "file:")))

    assert error_with(folder, secret) == error_with(folder, "8f742231b10e8888abcd99yyyzzz85a5")


def error_with(folder: Folder, secret: str) -> str:
    literal = json.dumps(secret, ensure_ascii=False)
    toml = SLACK + f"signing_secrets = [{literal}]\nbot_token = {literal}\nbot_tokens = {literal}\n"
    toml += f"[accounts.webchat.other]\nassistant = 'bartender'\ncookie_secrets = {literal}\n"
    with pytest.raises(SettingsError) as caught:
        folder.load(toml, SWITCHBOARD_STORE__DATABASE_URL=secret, SWITCHBOARD_STORE__DATABASEURL=secret)
    assert len(caught.value.problems) == 6
    return "".join(traceback.format_exception(caught.value))


@given(secret=TEXTS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_loaded_settings_print_the_same_whatever_the_secret(folder: Folder, secret: str) -> None:
    """Not its text, not its length, not whether it is the right one."""
    address = f"postgres:///{secret.encode('utf-8', 'surrogatepass').hex()}"
    one = folder.load(SLACK + 'bot_token = "env:TOKEN"\n', TOKEN=secret, DATABASE_URL=address)
    other = folder.load(SLACK + 'bot_token = "env:TOKEN"\n', TOKEN="xoxb-1", DATABASE_URL="postgres:///x")

    assert one.store.database_url.reveal() == address
    assert (str(one), repr(one)) == (str(other), repr(other))
    assert f"{one.store.database_url!s:>40}" == f"{other.store.database_url!s:>40}"


def test_a_password_in_an_address_is_not_shown(folder: Folder) -> None:
    problems = folder.problems(BASE, SWITCHBOARD_SERVER__PORT="https://me:hunter2@host/")

    assert problems == [
        "server.port (SWITCHBOARD_SERVER__PORT): expected an integer from 1 to 65535, got 'https://***@host/'"
    ]


def test_a_secret_leaves_by_reveal_alone() -> None:
    """Not by JSON, not by pickle, not by comparing its print; an empty one is no secret."""
    secret = Secret("hunter2")
    with pytest.raises(TypeError):
        msgspec.json.encode(secret)
    with pytest.raises(TypeError):
        pickle.dumps(secret)

    assert secret == Secret("hunter2")
    assert secret != Secret("hunter3")
    assert secret != "hunter2"
    assert len({secret, Secret("hunter2")}) == 1
    assert not Secret("")
    assert secret.reveal_bytes() == b"hunter2"


def test_the_repository_holds_no_secret() -> None:
    """Both shipped files name references only."""
    config = Path(__file__).parents[2] / "config"
    for line in (config / "switchboard.toml").read_text().splitlines():
        if any(word in line.partition("=")[0] for word in ("secret", "token", "database_url", "redis_url")):
            assert "file:" in line or "env:" in line or line.startswith("#"), line
    for line in (config / "example.env").read_text().splitlines():
        if not line.startswith("# ") and any(word in line for word in ("SECRET", "TOKEN", "_URL=")):
            value = line.partition("=")[2]
            # A number counts tokens of another sort.
            assert not value or value.replace(".", "").isdigit() or "API_BASE_URL" in line, line
