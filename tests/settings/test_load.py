"""Loading: file, environment, their order, and what each wrong thing is called."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.embedded.secret_files import ensure_secrets
from gateway.settings.accounts import ACCOUNT_TYPES
from gateway.settings.environment import EMBEDDED
from gateway.settings.load import DEFAULT_FILE, SettingsError, load, load_assistants, load_store
from gateway.settings.redis_address import REDIS_SCHEMES
from gateway.settings.settings import SECTIONS, Settings
from tests.settings.folder import BASE, Folder

WRONG = """
[server]
prot = 8081
port = 99999
body_bytes_max = "1 MiB"

[sever]
port = 1

[lanes]
beat_s = 4.5

[logging]
level = "verbose"

[accounts.slack.bartender]
assistant = "bartneder"
signing_secrets = ["8f742231b10e8888abcd99yyyzzz85a5"]
bot_token = "xoxb-17653672481-19874698323"
signing_secert = ["x"]

[accounts.slak.bartender]
assistant = "bartender"

[accounts.webchat.Bar]
cookie_secrets = "file:cookie"

[assistants.bartender]
kind = "htttp"
url = "http://127.0.0.1:8090/turn"
events_max = 0
"""

EXPECTED = Path(__file__).with_name("problems.txt")


def test_all_problems_are_told_at_once(folder: Folder) -> None:
    """The whole text, as a person sees it: problems.txt beside this file."""
    with pytest.raises(SettingsError) as caught:
        folder.load(WRONG, SWITCHBOARD_LANES__BEATS_S="1", SWITCHBOARD_STORE__REDIS_URL="redis://:hunter2@h")

    assert str(caught.value) == EXPECTED.read_text().rstrip()


def test_what_is_not_set_has_the_structs_default(folder: Folder) -> None:
    settings = folder.load(BASE)

    for name, kind in SECTIONS.items():
        if name != "store":
            assert getattr(settings, name) == kind()


def test_a_setting_of_the_file_beats_the_default_and_one_of_the_environment_beats_the_file(
    folder: Folder,
) -> None:
    toml = BASE + "[lanes]\nlane_waiting_max = 7\ndeaths_max = 4\n"
    settings = folder.load(toml, SWITCHBOARD_LANES__DEATHS_MAX="5")

    assert settings.lanes.lane_waiting_max == 7
    assert settings.lanes.deaths_max == 5
    assert settings.lanes.lane_turns_max == 20


@pytest.mark.parametrize(
    ("environ", "path", "value"),
    [
        ({"PORT": "9001"}, "server.port", 9001),
        ({"HOST": "0.0.0.0"}, "server.host", "0.0.0.0"),
        ({"WEB_CONCURRENCY": "3"}, "server.workers", 3),
        ({"PORT": ""}, "server.port", 8080),
        ({"PORT": "9001", "SWITCHBOARD_SERVER__PORT": "9002"}, "server.port", 9002),
        ({"SWITCHBOARD_RPC__POOL_WAIT_S": "0.25"}, "rpc.pool_wait_s", 0.25),
    ],
)
def test_short_names_of_settings(folder: Folder, environ: dict[str, str], path: str, value: object) -> None:
    """Empty is not set; the longer name of the same setting is the more deliberate one, and wins."""
    section, field = path.split(".")

    assert getattr(getattr(folder.load(BASE, **environ), section), field) == value


def test_the_environment_reaches_accounts_and_assistants(folder: Folder) -> None:
    settings = folder.load(
        BASE,
        SWITCHBOARD_ACCOUNTS__WEBCHAT__BARTENDER__COOKIE_SECURE="true",
        SWITCHBOARD_ACCOUNTS__SLACK__BARTENDER__ASSISTANT="bartender",
        SWITCHBOARD_ACCOUNTS__SLACK__BARTENDER__RESPONSE_URL_HOSTS="hooks.slack.com, hooks.slack-gov.com",
        SWITCHBOARD_ASSISTANTS__BARTENDER__TOTAL_TIMEOUT_S="60",
        BARTENDER_URL="http+unix://%2Frun%2Fbartender.sock/turn",
    )

    assert settings.accounts["webchat", "bartender"].cookie_secure is True  # type: ignore[attr-defined]
    slack = settings.accounts["slack", "bartender"]
    assert slack.response_url_hosts == ("hooks.slack.com", "hooks.slack-gov.com")  # type: ignore[attr-defined]
    assert settings.assistants["bartender"].total_timeout_s == 60
    assert settings.assistants["bartender"].url == "http+unix://%2Frun%2Fbartender.sock/turn"


def test_a_number_in_quotes_is_a_mistake_in_the_file_and_normal_in_the_environment(folder: Folder) -> None:
    assert folder.problems(BASE + '[server]\nport = "9001"\n') == [
        "server.port: expected an integer from 1 to 65535, got '9001'"
    ]
    assert folder.load(BASE, PORT="9001").server.port == 9001


@pytest.mark.parametrize("text", ["nan", "inf", "-1", "0", "1e9", "5s", "5000000"])
def test_a_wait_is_a_finite_number_of_seconds(folder: Folder, text: str) -> None:
    """The range catches milliseconds that are given as seconds."""
    assert len(folder.problems(BASE, SWITCHBOARD_OUTBOX__POLL_S=text)) == 1


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        (
            "[lanes]\nbeat_s = 4\n",
            "lanes: beat_s + lease_margin_s (4 + 1) must be less than dead_after_s (5)",
        ),
        ("[lanes]\nturns_in_flight_max = 10\n", "lanes: account_turns_in_flight_max (1000) must not be more"),
        ("[lanes]\ntenant_turns_in_flight_max = 2001\n", "lanes: tenant_turns_in_flight_max (2001) must not be more"),
        (
            "[outbox]\nbackoff_base_s = 301\n",
            "outbox: backoff_base_s (301) must not be more than backoff_max_s (300)",
        ),
    ],
)
def test_settings_that_exclude_each_other(folder: Folder, toml: str, problem: str) -> None:
    [line] = folder.problems(BASE + toml)

    assert line.startswith(problem)


def test_settings_that_cannot_work_together_are_told_all_at_once(folder: Folder) -> None:
    """Each by its own name, with the other one: one of the two would never do anything."""
    toml = """
[assistants.hasty]
hedge = true
slow_s = 30
[rpc]
limit_floor = 1000000
connections_max = 999999
dns_keep_s = 4.5
retry_base_s = 0.3
first_byte_timeout_s = 5
breaker_slow_ratio = 0.49
breaker_open_base_s = 301
"""
    assert folder.problems(BASE + toml) == [
        "rpc.limit_floor: expected at most connections_max (999999), got 1000000",
        (
            "rpc.dns_keep_s: expected at least dns_refresh_s (5), got 4.5: "
            "addresses would be gone before they are looked up again"
        ),
        "rpc.retry_base_s: expected at most retry_max_s (0.25), got 0.3",
        (
            "rpc.breaker_slow_s: expected less than first_byte_timeout_s (5), got 5: "
            "a call would be given up before it is slow"
        ),
        "rpc.breaker_slow_ratio: expected at least breaker_failure_ratio (0.5), got 0.49: it counts failed calls too",
        "rpc.breaker_open_base_s: expected at most breaker_open_max_s (300), got 301",
        (
            "assistants.hasty.slow_s: expected less than first_byte_timeout_s (30), got 30: "
            "a call would be given up before it is slow"
        ),
        (
            "assistants.hasty.hedge: expected honours_idempotency_key = true beside it, got false: "
            "no call may be made a second time"
        ),
    ]


def test_settings_at_the_border_work_together(folder: Folder) -> None:
    toml = """
[assistants.patient]
honours_idempotency_key = true
hedge = true
slow_s = 29.999
[rpc]
limit_floor = 8
connections_max = 8
dns_keep_s = 5
retry_base_s = 0.25
first_byte_timeout_s = 5.001
breaker_slow_ratio = 0.5
breaker_open_base_s = 300
"""
    assert folder.problems(BASE + toml) == []


@pytest.mark.parametrize(
    ("toml", "problem"),
    [
        ("[accounts.webchat.x]\nassistant = 'a'\n", "assistants: none is configured"),
        ("[assistants.a]\nurl = 'http://a/'\n", "accounts: none is configured"),
        (BASE + "[accounts.slack]\nbartender = 1\n", "accounts.slack.bartender: expected a table, got 1"),
        (
            BASE.replace('= "bartender"', '= "bartneder"'),
            "accounts.webchat.bartender.assistant: no assistant is named 'bartneder', did you mean barten",
        ),
        ("accounts = 3\nassistants = 4\n", "accounts: expected tables by name"),
        (BASE + "[assistants.a__b]\nurl = 'http://a/'\n", "assistants.'a__b': a name has 1 to 64"),
    ],
)
def test_accounts_and_assistants_must_fit_together(folder: Folder, toml: str, problem: str) -> None:
    assert any(line.startswith(problem) for line in folder.problems(toml))


def test_the_stores_have_addresses(folder: Folder) -> None:
    """A wrong one is told at the start, and not shown: it may be a password in the wrong place."""
    assert folder.problems(BASE, DATABASE_URL="mysql://me:hunter2@db/x", REDIS_URL="hunter2") == [
        "store.database_url: expected an address with postgresql:// or postgres:// (not shown)",
        f"store.redis_url: expected an address with {' or '.join(REDIS_SCHEMES)} (not shown)",
    ]
    for address in ("me:hun%zzter2@db/x", "me:hunter2@[::1/x", "me:x@db/x?hunter2=1", "hunter2\udc80"):
        [problem] = folder.problems(BASE, DATABASE_URL=f"postgresql://{address}")
        assert problem.startswith("store.database_url: expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE, ")
        assert "ter2" not in problem
    assert folder.problems(BASE, DATABASE_URL="", REDIS_URL="") == [
        "store.database_url: required: set DATABASE_URL, or run `switchboard up`",
        "store.redis_url: required: set REDIS_URL, or run `switchboard up`",
    ]


def test_a_file_that_cannot_be_read_is_the_only_problem(folder: Folder) -> None:
    missing = folder.root / "nowhere.toml"
    with pytest.raises(SettingsError) as caught:
        load(None, {"SWITCHBOARD_CONFIG": str(missing)})

    assert caught.value.problems == (
        f"{missing}: cannot be read: No such file or directory (SWITCHBOARD_CONFIG)",
    )
    [line] = folder.problems("[server\n")
    assert line.endswith("is not TOML: Expected ']' at the end of a table declaration (at line 1, column 8)")


def test_a_file_that_is_no_text_is_a_problem(folder: Folder) -> None:
    path = folder.root / "latin1.toml"
    path.write_bytes(b'[server]\nhost = "\xff"\n')

    with pytest.raises(SettingsError, match="is not UTF-8 text"):
        load(path, folder.environ)


def test_commands_on_the_ledger_alone_need_no_platforms_secret(folder: Folder) -> None:
    """A release phase migrates before anybody has given it a Slack secret."""
    store = load_store(DEFAULT_FILE, {"DATABASE_URL": "postgresql://db/switchboard"})

    assert store.database_url.reveal() == "postgresql://db/switchboard"
    assert not load_store(DEFAULT_FILE, {}).database_url


def test_the_working_default_loads_with_the_secrets_that_up_makes(folder: Folder) -> None:
    """It has one account of each sample assistant on each channel, and every account's assistant exists."""
    secrets = folder.root / "secrets"
    secrets.mkdir()
    ensure_secrets(secrets)
    settings = load(None, {**folder.environ, EMBEDDED: "1"})

    samples = ("bartender", "tasted")
    assert set(settings.accounts) == {(channel, sample) for channel in ACCOUNT_TYPES for sample in samples}
    for sample in samples:
        secret = (secrets / f"{sample}_signing").read_text()
        assert settings.assistants[sample].signing_secrets[0].reveal() == secret
    assert settings.home == folder.root


def test_settings_cannot_be_changed(folder: Folder) -> None:
    settings = folder.load(BASE)

    with pytest.raises(AttributeError):
        settings.server.port = 1  # type: ignore[misc]
    with pytest.raises(TypeError):
        settings.accounts["slack", "x"] = None  # type: ignore[index]


def test_every_section_is_a_field_of_the_settings() -> None:
    named = {"home", "accounts", "assistants", "schedules", "webhooks"}

    assert set(SECTIONS) | named == set(Settings.__struct_fields__)


def test_a_command_that_wants_to_know_where_assistants_are_needs_no_secret(folder: Folder) -> None:
    path = folder.root / "switchboard.toml"
    a = '[assistants.a]\nurl = "http://a"\nsigning_secrets = ["file:not/here"]\n'
    path.write_text(a + '[assistants.b]\nkind = "scripted"\n')
    found = load_assistants(path, {**folder.environ, "A_URL": "http://elsewhere"})

    assert {name: (one.kind, one.url) for name, one in found.items()} == {
        "a": ("http", "http://elsewhere"),
        "b": ("scripted", ""),
    }


def test_what_is_wrong_with_an_assistant_is_told_to_such_a_command(folder: Folder) -> None:
    path = folder.root / "switchboard.toml"
    path.write_text('assistants.a = 7\n[assistants.b]\nkind = "htttp"\nsigning_secerts = []\n')
    with pytest.raises(SettingsError) as error:
        load_assistants(path, folder.environ)

    assert [problem.partition(":")[0] for problem in error.value.problems] == [
        "assistants.a",
        "assistants.b.signing_secerts",
        "assistants.b.kind",
    ]


def test_what_cannot_work_together_is_told_to_such_a_command_too(folder: Folder) -> None:
    path = folder.root / "switchboard.toml"
    path.write_text('[assistants.a]\nurl = "http://a"\nhedge = true\n')
    with pytest.raises(SettingsError, match=r"assistants\.a\.hedge: expected honours_idempotency_key"):
        load_assistants(path, folder.environ)


def test_a_token_that_could_be_guessed_is_no_token(folder: Folder) -> None:
    """And is not shown."""
    toml = BASE + '[api]\ntokens = ["env:LONG", "env:SHORT"]\n'
    assert folder.problems(toml, LONG="x" * 16, SHORT="hunter2") == ["api: tokens: each needs at least 16 characters"]
    assert len(folder.load(toml, LONG="x" * 16, SHORT="y" * 16).api.tokens) == 2


@pytest.mark.parametrize("tenant", ["", " ", "a\\nb", "acme ", "x" * 65])
def test_a_tenant_is_a_name(folder: Folder, tenant: str) -> None:
    """Law: it is a label; and an empty one is no tenant, so nobody shares with everybody who left it empty."""
    [problem] = folder.problems(BASE + f'[accounts.slack.bartender]\nassistant = "bartender"\ntenant = "{tenant}"\n')

    assert problem.startswith("accounts.slack.bartender: tenant: expected 1 to 64 visible characters, got ")
