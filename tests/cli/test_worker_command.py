"""``switchboard worker``: what is wrong with its own options is told before anything else, and alone."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from gateway.cli import main
from gateway.settings.worker import PROCESSES_MAX


@pytest.mark.parametrize("processes", ["0", str(PROCESSES_MAX + 1), "-1", "many"])
def test_an_option_that_is_wrong_does_not_drown_among_settings(processes: str) -> None:
    """Here all that a worker needs is missing too, which is another matter."""
    result = CliRunner().invoke(main, ["worker", "--processes", processes], env={"DATABASE_URL": "", "REDIS_URL": ""})
    assert result.exit_code == 2
    assert "Invalid value for '--processes'" in result.output
    assert "settings" not in result.output
