"""What a run of bench.locust is told by a test."""

from __future__ import annotations

import argparse
from typing import Any

from bench.locust.options import add_options

__all__ = ["given"]


class Parser(argparse.ArgumentParser):
    """locust's parser, as far as ours knows of it."""

    def add_argument(self, *names: str, env_var: str = "", include_in_web_ui: bool = True, **more: Any) -> Any:
        return super().add_argument(*names, **more)


def given(**more: object) -> argparse.Namespace:
    """Return what a run is told if it is told no more."""
    parser = Parser()
    add_options(parser)
    words = [f"--{name.replace('_', '-')}={value}" for name, value in more.items()]
    return parser.parse_args(["--stand-in-port=0", *words])
