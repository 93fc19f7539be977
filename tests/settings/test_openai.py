"""``[assistants.<name>.openai]``: a table in a table, a prompt in a file, and what cannot work beside what."""

from __future__ import annotations

import pytest

from gateway.settings.load import load_assistants
from gateway.settings.openai import OpenaiSettings
from gateway.settings.prose import Prose
from tests.settings.folder import BASE, Folder

MODEL = """
[assistants.helper]
kind = "openai"
url = "http://127.0.0.1:8000/v1"
[assistants.helper.openai]
model = "little"
"""


def helper(folder: Folder, more: str = "", **environ: str) -> OpenaiSettings:
    """Return the table of an assistant whose settings have *more* at their end."""
    return folder.load(BASE + MODEL + more, **environ).assistants["helper"].openai


def test_a_model_and_an_address_are_enough(folder: Folder) -> None:
    assert helper(folder) == OpenaiSettings(model="little")


def test_the_file_and_the_environment_reach_every_field(folder: Folder) -> None:
    found = helper(
        folder,
        'temperature = 0.5\nparameters = { top_p = 0.9, stop = ["\\n"] }\n',
        SWITCHBOARD_ASSISTANTS__HELPER__OPENAI__MODEL="great",
        SWITCHBOARD_ASSISTANTS__HELPER__OPENAI__ANSWER_TOKENS_MAX="300",
        SWITCHBOARD_ASSISTANTS__HELPER__OPENAI__API_KEY="env:MODEL_KEY",
        MODEL_KEY="sk-1",
    )

    assert (found.model, found.temperature, found.answer_tokens_max) == ("great", 0.5, 300)
    assert found.parameters == {"top_p": 0.9, "stop": ["\n"]}
    assert found.api_key.reveal() == "sk-1"


def test_a_prompt_is_a_text_or_a_file(folder: Folder) -> None:
    """One that grows belongs in a file of its own; its last line end is no part of it."""
    (folder.root / "prompts").mkdir()
    (folder.root / "prompts" / "helper.md").write_text("You serve {user_name}.\n\nBe kind.\n")

    assert helper(folder, 'system_prompt = "Be brief: file:x"\n').system_prompt == "Be brief: file:x"
    prompt = helper(folder, 'system_prompt = "file:prompts/helper.md"\n').system_prompt
    assert prompt == "You serve {user_name}.\n\nBe kind."
    assert type(prompt) is Prose


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ('system_prompt = "file:prompts/none.md"', "system_prompt: cannot read "),
        ("system_prompt = 7", "system_prompt: expected a text or file:PATH, got 7"),
        ('system_prompt = "Hi {user_nane}"', "system_prompt: {user_nane} stands for nothing, did you mean user_name?"),
        ('api_key = "sk-literal"', "api_key: expected env:NAME or file:PATH, got a literal (not shown)"),
        ("temperature = 3", "temperature: expected a number from 0 to 2, got 3"),
        ('temperature = "warm"', "temperature: expected a number from 0 to 2, got 'warm'"),
        ('answer_bound_name = "tokens"', 'answer_bound_name: expected one of "max_completion_tokens", "max_tokens"'),
        ("temprature = 1", "temprature: unknown setting, did you mean assistants.helper.openai.temperature?"),
        ("parameters = { stream = true }", "parameters.stream: is not passed on: it has a setting of its own"),
        ("parameters = { tools = [] }", "parameters.tools: is not passed on: nothing here would run them"),
        ("history_turns_max = -1", "history_turns_max: expected an integer from 0 to 1000, got -1"),
    ],
)
def test_what_cannot_work_is_told(folder: Folder, more: str, problem: str) -> None:
    (found,) = folder.problems(BASE + MODEL + more)

    assert found.startswith(f"assistants.helper.openai.{problem}")
    assert "sk-literal" not in found


def test_braces_that_stand_for_nothing_are_the_models_affair(folder: Folder) -> None:
    prompt = 'Answer as {"drink": {name}} on {date}'

    assert helper(folder, f"system_prompt = '{prompt}'\n").system_prompt == prompt


def test_a_model_is_named(folder: Folder) -> None:
    toml = BASE + '[assistants.helper]\nkind = "openai"\nurl = "http://127.0.0.1:8000/v1"\n'

    assert folder.problems(toml) == [
        "assistants.helper.openai.model: required: the name of the model, as the server calls it"
    ]


def test_settings_that_nobody_would_read_are_told(folder: Folder) -> None:
    """A signature that no server checks, and a table for another kind."""
    signed = MODEL.replace("[assistants.helper.openai]", 'signing_secrets = ["env:KEY"]\n[assistants.helper.openai]')
    (first,) = folder.problems(BASE + signed, KEY="whsec_" + "A" * 32)
    (second,) = folder.problems(BASE + MODEL.replace('kind = "openai"', 'kind = "http"'))

    assert first.startswith("assistants.helper.signing_secrets: a model server checks no signature")
    assert second == 'assistants.helper.openai: expected kind = "openai" beside it, got "http"'


def test_who_only_asks_where_it_is_needs_neither_key_nor_prompt(folder: Folder) -> None:
    """An operator's shell has no key of a model."""
    toml = BASE + MODEL + 'api_key = "env:NOWHERE"\nsystem_prompt = "file:nowhere"\n'
    path = folder.root / "switchboard.toml"
    path.write_text(toml)

    assert load_assistants(path, {})["helper"].url == "http://127.0.0.1:8000/v1"
