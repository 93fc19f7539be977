"""Fixtures for every test, and the one place where the test process is patched.

All tests run in a process that gevent has patched, as the gateway's and the worker's are, except
tests/browser: Playwright's sync API runs greenlets on asyncio, which does not survive patching.  `make test`
therefore runs those in a pytest of their own; `pytest tests/browser` is recognised here by its argument.
"""

from __future__ import annotations

import gc
import sys
from pathlib import Path

BROWSER_TESTS = Path(__file__).parent / "browser"
UNPATCHED = any(
    Path(argument.partition("::")[0]).resolve().is_relative_to(BROWSER_TESTS) for argument in sys.argv[1:]
)

if not UNPATCHED:
    from gevent import monkey

    monkey.patch_all()

    from psycogreen.gevent import patch_psycopg

    patch_psycopg()

import hypothesis
import pytest

# A run that failed must fail again, and a machine that is busy for 200 ms is no bug.  Beside the slow tests properties
# have all of their examples ("whole").  To look for new cases: pytest --hypothesis-profile=explore.
hypothesis.settings.register_profile("steady", max_examples=40, derandomize=True, deadline=None)
hypothesis.settings.register_profile("whole", max_examples=100, derandomize=True, deadline=None)
hypothesis.settings.register_profile("explore", max_examples=2_000, deadline=None)
hypothesis.settings.load_profile("steady")

# `tests.support` by its full name, whichever way pytest was started.
sys.path.insert(0, str(Path(__file__).parent.parent))

pytest_plugins = ["tests.support.stores"]


def pytest_configure(config: pytest.Config) -> None:
    """Choose how long properties are tried, before any module of tests asks (tests/support/examples.py)."""
    if config.option.markexpr != "not slow":
        hypothesis.settings.load_profile("whole")


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out what belongs in the other process."""
    if collection_path.is_relative_to(BROWSER_TESTS) and not UNPATCHED:
        return True
    return None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse a mixed run, in which patched code would be tested unpatched."""
    strangers = [item for item in items if not item.path.is_relative_to(BROWSER_TESTS)]
    if UNPATCHED and strangers:
        raise pytest.UsageError("run tests/browser in a pytest of its own")


def pytest_collection_finish() -> None:
    """Spare each collection of garbage the walk through what lives as long as the run: the tests themselves."""
    gc.collect()
    gc.freeze()
