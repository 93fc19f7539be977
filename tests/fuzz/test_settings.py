"""Whatever stands in the file and in the environment: settings, or a list of what is wrong that shows no secret."""

from __future__ import annotations

import string
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.settings.load import DEFAULT_FILE, SettingsError, load
from gateway.settings.settings import SECTIONS
from tests.fuzz.mutations import mutated

pytestmark = pytest.mark.slow
explore = settings(
    settings.get_profile("explore"), suppress_health_check=[HealthCheck.function_scoped_fixture]
)

PASSWORD = "hunter2-hunter2"
LITERAL = "xoxb-17653672481"
WORKING = DEFAULT_FILE.read_bytes()
FIELDS = sorted({f"{name}.{field}" for name, kind in SECTIONS.items() for field in kind.__struct_fields__})
SECRETS = [
    "store.database_url",
    "store.redis_url",
    "assistants.bartender.signing_secrets",
    "accounts.slack.bartender.signing_secrets",
    "accounts.slack.bartender.bot_token",
    "accounts.webchat.bartender.cookie_secrets",
]
#: Names that exist, nearly exist, and cannot.
NAMES = st.sampled_from(
    [
        *FIELDS,
        *SECRETS,
        *(
            "assistants.bartender.url",
            "assistants.bartender.kind",
            "accounts.slack",
            "accounts",
            "assistants.x",
        ),
        *(
            "lanes.beats_s",
            "sever.port",
            "a.b.c.d",
            "accounts.telegram.x",
            '"".""',
            '"ü"',
            "server.port.port",
        ),
    ]
)
VALUES = st.sampled_from(
    [
        *("1", "-1", "0", "1e400", "nan", "inf", "true", "9" * 400, "0x7fffffffffffffffffff"),
        *("[]", "{}", "[[]]", "[1, 'a']", "{a = {b = 1}}", "1979-05-27T07:32:00Z", "07:32:00"),
        *('""', '"5"', '"\\u0000"', f'"{"a" * 5_000}"', '"http://[::1"', '"htp://user:hush@host"'),
        *(
            '"env:PASSWORD"',
            '["env:PASSWORD"]',
            '"env:NOBODY"',
            '"file:/"',
            '"file:secret"',
            '["file:secret"]',
        ),
        *('["file:../../etc/shadow"]', '["file:\\u0001"]', '["file:secret", "file:none"]'),
    ]
)


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Draw a file: the working default with bytes exchanged, or with lines that say anything."""
    if draw(st.booleans()):
        return draw(mutated(st.just(WORKING)))
    said = draw(st.dictionaries(NAMES, VALUES, max_size=5))
    lines = [f"{name} = {value}" for name, value in said.items()]
    return "\n".join(lines).encode() + b"\n" + draw(st.sampled_from([WORKING, b""]))


ENVIRONMENTS = st.dictionaries(
    NAMES.map(lambda name: "SWITCHBOARD_" + name.upper().replace(".", "__"))
    | st.sampled_from(
        ["PORT", "HOST", "WEB_CONCURRENCY", "BARTENDER_URL", "SWITCHBOARD_", "SWITCHBOARD___", "REDIS_URL"]
    )
    | st.text(string.ascii_uppercase + "_", max_size=12).map("SWITCHBOARD_".__add__),
    VALUES.map(lambda value: value.strip('"'))
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    max_size=4,
)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with one secret."""
    (tmp_path / "secret").write_text(PASSWORD)
    return tmp_path


def problems(home: Path, file: bytes, environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return what is wrong; nothing if it loads.  Any other exception fails the test by itself."""
    path = home / "switchboard.toml"
    path.write_bytes(file)
    base = {
        "DATABASE_URL": f"postgresql://switchboard:{PASSWORD}@db/switchboard",
        "REDIS_URL": f"redis://:{PASSWORD}@redis/0",
        "PASSWORD": PASSWORD,
    }
    try:
        found = load(path, {**base, **environ, "SWITCHBOARD_HOME": str(home)})
    except SettingsError as error:
        return error.problems
    assert PASSWORD not in repr(found)
    return ()


@explore
@given(file=files(), environ=ENVIRONMENTS)
def test_any_file_and_any_environment(home: Path, file: bytes, environ: dict[str, str]) -> None:
    """Every problem is one line, and no secret that was found is in any of them."""
    for problem in problems(home, file, environ):
        assert problem.splitlines() == [problem]
        assert PASSWORD not in problem


SHAPES = st.recursive(
    st.just(f'"{LITERAL}"'),
    lambda inner: (
        inner.map("[{}]".format) | inner.map("{{a = {}}}".format) | inner.map('[1, {}, "env:X"]'.format)
    ),
)


@explore
@given(name=st.sampled_from(SECRETS), value=SHAPES, in_file=st.booleans())
def test_a_literal_where_a_secret_stands_is_refused_unseen(
    home: Path, name: str, value: str, in_file: bool
) -> None:
    """However it is wrapped, and wherever it came from."""
    if in_file:
        found = problems(home, f"{name} = {value}".encode(), {})
    else:
        variable = "SWITCHBOARD_" + name.upper().replace(".", "__")
        found = problems(home, WORKING, {variable: value})

    assert found
    assert not [problem for problem in found if LITERAL in problem]
