"""config/example.env says everything that the environment can set, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from gateway.settings.accounts import ACCOUNT_TYPES
from gateway.settings.assistants import AssistantSettings
from gateway.settings.environment import ALIASES
from gateway.settings.example import comments, example_env
from gateway.settings.expected import expected
from gateway.settings.schedules import ScheduleSettings
from gateway.settings.settings import SECTIONS
from gateway.settings.webhooks import WebhookSettings
from tests.settings.folder import BASE, Folder

EXAMPLE = Path(__file__).parents[2] / "config" / "example.env"
STRUCTS: list[type[msgspec.Struct]] = [
    *SECTIONS.values(), AssistantSettings, ScheduleSettings, WebhookSettings, *ACCOUNT_TYPES.values(),
]  # fmt: skip


def variables() -> dict[str, str]:
    return dict(re.findall(r"^#([A-Z_<>]+)=(.*)$", EXAMPLE.read_text(), re.MULTILINE))


def test_the_file_is_what_the_settings_say() -> None:
    """When it fails: python -m gateway.settings.example > config/example.env"""
    assert EXAMPLE.read_text() == example_env()


def test_every_setting_of_a_section_is_in_the_file_once_and_no_other() -> None:
    names = re.findall(r"^#([A-Z_]+)=", EXAMPLE.read_text(), re.MULTILINE)
    fields = [
        f"SWITCHBOARD_{section}__{field}".upper()
        for section, kind in SECTIONS.items()
        for field in kind.__struct_fields__
    ]

    assert sorted(names) == sorted([*fields, "SWITCHBOARD_HOME", "SWITCHBOARD_CONFIG"])


def test_the_files_defaults_are_the_real_ones(folder: Folder) -> None:
    """Every line taken out of its comment, as somebody will do: nothing changes, nothing is unknown."""
    plain = {
        name: text for name, text in variables().items() if "<" not in name and name not in folder.environ
    }
    plain.pop("SWITCHBOARD_CONFIG")

    assert folder.load(BASE, **plain) == folder.load(BASE)


def test_the_files_defaults_of_accounts_and_assistants_are_the_real_ones(folder: Folder) -> None:
    named = {
        name.replace("<NAME>", "BARTENDER"): text
        for name, text in variables().items()
        if "<NAME>" in name
        # The accounts of the file above are web chat's.
        and ("_ACCOUNTS__" not in name or "_WEBCHAT__" in name)
        and "SCHEDULES" not in name
        and "WEBHOOKS" not in name
    }
    named = {name: text for name, text in named.items() if text}

    assert folder.load(BASE, **named) == folder.load(BASE)


def test_the_short_names_are_in_the_file() -> None:
    text = EXAMPLE.read_text()

    for name in (*ALIASES, "<NAME>_URL"):
        assert f"; short name {name}." in text


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_every_setting_has_a_meaning_and_every_number_a_range(kind: type[msgspec.Struct]) -> None:
    meanings = comments(kind)
    for field in structs.fields(kind):
        if field.name in {"channel", "name"}:
            continue
        assert meanings[field.name].endswith("."), field.name
        words = expected(field.type)
        if "integer" in words or "number" in words:
            assert " from " in words, f"{field.name}: {words}"


@pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
def test_units_stand_last_in_names(kind: type[msgspec.Struct]) -> None:
    """Whatever is a float is a time, a share or a length of days, and says which."""
    for field in structs.fields(kind):
        if expected(field.type).startswith("a number"):
            assert field.name.endswith(("_s", "_days", "_ratio")), field.name
