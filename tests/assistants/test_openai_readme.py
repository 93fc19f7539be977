"""The READMEs' settings load, and their names are those of the settings."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gateway import assistants
from gateway.settings.assistants import AssistantSettings
from gateway.settings.load import load
from gateway.settings.openai import OpenaiSettings

FOLDER = Path(assistants.__file__).parent
#: Where a reason is given in code: as an argument, or beside the sentence that goes with it.
GIVEN = re.compile(r'reason="([a-z_]+)"|(?:message = |return |or \()"([a-z_]+)", f?"')
ACCOUNT = '\n[accounts.webchat.helper]\nassistant = "helper"\n'


@pytest.mark.parametrize("server", ["vLLM", "llama.cpp", "Ollama"])
def test_the_settings_of_well_known_servers_load(tmp_path: Path, server: str) -> None:
    found = re.search(rf"<!-- {server} -->\n```toml\n(.*?)```", (FOLDER / "README.md").read_text(), re.DOTALL)
    assert found
    path = tmp_path / "switchboard.toml"
    path.write_text(found[1] + ACCOUNT)
    (tmp_path / "prompts").mkdir()
    (tmp_path / "prompts" / "helper.md").write_text("Be kind.")

    environ = {
        "SWITCHBOARD_HOME": str(tmp_path), "DATABASE_URL": "postgresql://h/d", "REDIS_URL": "redis://h/0",
        "VLLM_API_KEY": "sk-1",
    }  # fmt: skip
    helper = load(path, environ).assistants["helper"]

    assert helper.kind == "openai"
    assert f"| `{helper.url}` |" in (FOLDER / "README.md").read_text()


def test_every_setting_that_is_named_exists() -> None:
    names = {*AssistantSettings.__struct_fields__, *OpenaiSettings.__struct_fields__}
    text = (FOLDER / "openai" / "README.md").read_text()

    assert set(re.findall(r"`([a-z_]+_(?:s|max|token|path|name))`", text)) - {"user_name"} <= names
    assert {name for name in OpenaiSettings.__struct_fields__ if f"`{name}`" not in text} <= {"stream_usage"}


def test_every_reason_is_in_the_table() -> None:
    """A reason that code gives and nobody explains helps nobody."""
    code = "\n".join(path.read_text() for path in (FOLDER / "openai").glob("*.py"))
    given = {one or other for one, other in GIVEN.findall(code)}
    table = (FOLDER / "README.md").read_text().partition("## When it goes wrong")[2]

    assert {"key_refused", "quota_exhausted", "empty_answer", "model_error", "history_unavailable"} <= given
    assert [reason for reason in given if f"`{reason}`" not in table] == []
