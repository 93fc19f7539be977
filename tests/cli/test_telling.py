"""What commands tell: who it is that orders something."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become a user without a name")
def test_a_user_without_a_name_is_told_by_number() -> None:
    """As in containers that run under any number."""
    program = "import os; from gateway.cli.telling import caller; os.setuid(54321); print(caller())"
    done = subprocess.run([sys.executable, "-c", program], env={}, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("54321@")
