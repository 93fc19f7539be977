"""A settings folder for tests: a TOML file, a home with secrets, and what loading them says."""

from __future__ import annotations

from pathlib import Path

from gateway.settings.load import SettingsError, load
from gateway.settings.settings import Settings

__all__ = ["BASE", "Folder"]

#: The least that loads, given the environment of :class:`Folder`.
BASE = """
[assistants.bartender]
url = "http://127.0.0.1:8090/turn"

[accounts.webchat.bartender]
assistant = "bartender"
"""


class Folder:
    """Writes files below *root* and loads them with an environment that is all its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.environ = {
            "SWITCHBOARD_HOME": str(root),
            "DATABASE_URL": "postgresql://switchboard:hunter2@db/switchboard",
            "REDIS_URL": "redis://:hunter2@redis/0",
        }

    def load(self, toml: str, **environ: str) -> Settings:
        """Return the settings of *toml* under the folder's environment and *environ*."""
        path = self.root / "switchboard.toml"
        path.write_text(toml)
        return load(path, {**self.environ, **environ})

    def problems(self, toml: str, **environ: str) -> list[str]:
        """Return what is wrong with *toml*, line by line; nothing if it loads."""
        try:
            self.load(toml, **environ)
        except SettingsError as error:
            return list(error.problems)
        return []
