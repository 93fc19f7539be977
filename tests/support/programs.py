"""Programs of the machine's that tests need."""

from __future__ import annotations

import os
import shutil

import pytest

__all__ = ["program"]


def program(name: str) -> str:
    """Return where the program *name* is; without it the test is skipped here, and fails in CI."""
    found = shutil.which(name)
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"there is no {name} (apt-get install {name})")
        pytest.skip(f"there is no {name} (apt-get install {name})")
    return found
