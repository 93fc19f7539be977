"""``switchboard``: what it says to a command that it does not have."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from gateway.cli import COMMANDS, main


@pytest.mark.parametrize(
    ("word", "hint"), [("simulat", ", did you mean simulate?"), ("frob", f"; there are {', '.join(COMMANDS)}.")]
)
def test_a_command_that_is_not_there_is_told_with_the_nearest_or_all(word: str, hint: str) -> None:
    result = CliRunner().invoke(main, [word])
    assert result.exit_code == 2
    assert f"No such command '{word}'{hint}" in result.output


def test_an_option_that_is_not_there_is_still_an_option() -> None:
    result = CliRunner().invoke(main, ["--frob"])
    assert (result.exit_code, "No such option" in result.output) == (2, True)
