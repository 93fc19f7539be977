"""Secrets are only ever named in the settings: ``env:NAME`` or ``file:PATH``.

A literal is refused without being shown: it would be in a repository, a backup and an error message before
long.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from gateway.settings.prose import Prose
from gateway.settings.secret import Secret

__all__ = ["SECRET_BYTES_MAX", "BadReference", "read_prose", "resolve"]

SECRET_BYTES_MAX = 65_536
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
_PATH = re.compile(r"[^\x00-\x1f\x7f]{1,1024}")


class BadReference(Exception):
    """A reference that leads to no secret; the text says why and shows none."""


def resolve(reference: object, environ: Mapping[str, str], home: Path) -> Secret:
    """Return the secret that *reference* names; a relative path is seen from *home*.

    :raises BadReference: it names nothing, or nothing usable is there.
    """
    scheme, _, name = reference.partition(":") if isinstance(reference, str) else ("", "", "")
    if scheme == "env" and _VARIABLE.fullmatch(name):
        return Secret(_from_variable(name, environ))
    if scheme == "file" and _PATH.fullmatch(name):
        return Secret(_from_file(home / name))
    raise BadReference("expected env:NAME or file:PATH, got a literal (not shown)")


def read_prose(text: str, home: Path) -> Prose:
    """Return *text*, or what stands in the file that it names; a relative path is seen from *home*.

    :raises BadReference: there is no such file, or none that can be used.
    """
    scheme, _, name = text.partition(":")
    return Prose(_from_file(home / name) if scheme == "file" and _PATH.fullmatch(name) else text)


def _from_variable(name: str, environ: Mapping[str, str]) -> str:
    text = environ.get(name, "")
    if not text:
        raise BadReference(f"the environment variable {name} is not set")
    return text


def _from_file(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(SECRET_BYTES_MAX + 1)
    except OSError as error:
        raise BadReference(f"cannot read {path}: {error.strerror}") from None
    if len(content) > SECRET_BYTES_MAX:
        raise BadReference(f"{path} is larger than {SECRET_BYTES_MAX} bytes")
    try:
        # An editor ends the file with a line feed that is no part of the secret.
        text = content.decode().rstrip("\r\n")
    except UnicodeDecodeError:
        raise BadReference(f"{path} is not UTF-8 text") from None
    if not text:
        raise BadReference(f"{path} is empty")
    return text
