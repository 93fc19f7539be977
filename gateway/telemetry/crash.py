"""Where an error came from: its frames and its class, and those of its causes.  Never its text.

The text of an exception may quote what a user wrote (``int()``, ``KeyError``, PostgreSQL's DETAIL), and
``traceback.format_exc`` ends with it; what is told of a crash must not.
"""

from __future__ import annotations

import traceback
from pathlib import PurePath

__all__ = ["trace"]

#: Frames of one error, the innermost: where it was raised matters more than who started the greenlet.
_FRAMES_MAX = 6
#: An error, its cause, and the cause of that.
_ERRORS_MAX = 3
#: Parts of a file's path that tell which one it is.
_PATH_PARTS = 3


def trace(error: BaseException) -> str:
    """Return one line: ``ValueError in a/b/c.py:7 f > a/b/d.py:3 g; from KeyError in ...``."""
    told: list[str] = []
    cause: BaseException | None = error
    while cause is not None and len(told) < _ERRORS_MAX:
        told.append(_one(cause))
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "; from ".join(told)


def _one(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__, limit=-_FRAMES_MAX)
    places = [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames]
    return f"{type(error).__qualname__} in {' > '.join(places)}" if places else type(error).__qualname__


def _short(path: str) -> str:
    return "/".join(PurePath(path).parts[-_PATH_PARTS:])
