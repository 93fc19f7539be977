"""The example in MemoryJobs' own words, run as it stands there with a handler that was decorated."""

from __future__ import annotations

import re
import subprocess
import sys
import textwrap
from pathlib import Path

from gateway.jobs import memory
from tests.support.waiting import GUARD_S

_HANDLERS = """
import msgspec

from gateway.domain.job import Done
from workers.registry import job_handler

class Greeting(msgspec.Struct):
    name: str

@job_handler("greeting.send", Greeting)
def greeting_send(job, payload):
    print("hello", payload.name)
    return Done()
"""


def test_the_example_works_as_it_stands_there(tmp_path: Path) -> None:
    """Law: whoever copies it has a test that runs; the handlers are those that ``job_handler`` has decorated."""
    found = re.search(r"\n\n((?:    .*\n|\n)+)", memory.__doc__ or "")
    assert found is not None
    example = textwrap.dedent(found[1])
    assert "MemoryJobs(handlers()" in example
    (tmp_path / "my_jobs.py").write_text(_HANDLERS)
    program = f"from gateway.jobs.memory import MemoryJobs\nnow = 0\n{example}"

    # A process of its own: what it registers stays registered.
    ran = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, timeout=GUARD_S, check=False
    )
    assert (ran.stderr, ran.stdout) == ("", "hello Ada\n")
