"""The picture of the five scenarios: what was asked, what was answered in time, and what reached the endpoints."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from bench.needs import PLOTS, missing
from bench.sim.verdicts import Story
from bench.sim.world import BIN_S

__all__ = ["draw"]

#: Colours that stay apart for most who see few of them (Okabe and Ito).
ASKED, ATTEMPTS, GOOD, SHUT, SICK = "#999999", "#e69f00", "#0072b2", "#d55e00", "#cc79a7"


def draw(stories: Sequence[Story], pairs: int, path: Path) -> str:
    """Write the picture to *path*; return why that cannot be, or an empty text.  *pairs*: of gateway and endpoint."""
    lacking = missing(["plots"])
    if lacking:
        return lacking
    sys.path.append(str(PLOTS))
    import matplotlib as mpl
    from PIL import Image

    mpl.use("agg")
    from matplotlib import pyplot as plt

    figure, grid = plt.subplots(len(stories), 1, figsize=(9.0, 2.1 * len(stories)), facecolor="white", squeeze=False)
    for axes, story in zip(grid[:, 0], stories, strict=True):
        _draw_story(axes, story, pairs)
    grid[-1, 0].set_xlabel("seconds of virtual time", fontsize=8)
    figure.legend(*_legend(grid[:, 0]), fontsize=8, ncols=5, loc="upper center", frameon=False)
    figure.tight_layout(rect=(0.0, 0.0, 1.0, 1.0 - 0.4 / (2.1 * len(stories))))
    figure.savefig(path, dpi=90, facecolor="white")
    plt.close(figure)
    # A palette is a third of the size, and nobody sees the difference.
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(64).save(path, optimize=True)
    return ""


def _draw_story(axes: Any, story: Story, pairs: int) -> None:
    # The world fills in the first two seconds.
    record = [each for each in story.record if each.ends_at > 2.0]
    at = [each.ends_at for each in record]
    percent = 100.0 / (story.capacity_per_s * BIN_S)
    if story.ended_at:
        axes.axvspan(story.began_at, story.ended_at, color="#f0f0f0", lw=0)
    axes.plot(
        at, [100.0 * each.shut_out / pairs for each in record], color=SHUT, lw=1.0, ls=":", label="pairs shut out"
    )
    usual = [each.attempts_at_sick for each in record if each.ends_at <= story.began_at]
    if any(usual) and story.name != "outage":
        usual_each = sum(usual) / len(usual)
        of_usual = [100.0 * each.attempts_at_sick / usual_each for each in record]
        axes.plot(at, of_usual, color=SICK, lw=1.0, label="attempts at the sick, % of usual")
    axes.plot(at, [percent * each.calls for each in record], color=ASKED, lw=1.2, ls="--", label="calls")
    axes.plot(at, [percent * each.attempts for each in record], color=ATTEMPTS, lw=1.2, label="attempts")
    axes.plot(at, [percent * each.good for each in record], color=GOOD, lw=1.8, label="answered in time")
    axes.set_ylim(0, 160)
    axes.set_xlim(2.0, at[-1])
    axes.set_title(story.title, loc="left", fontsize=9)
    axes.set_ylabel("% of capacity", fontsize=8)
    axes.tick_params(labelsize=8)
    axes.grid(color="#e5e5e5", lw=0.5)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _legend(all_axes: Iterable[Any]) -> tuple[list[Any], list[str]]:
    """Return each line once, whichever panels it is in."""
    lines = {label: line for axes in all_axes for line, label in zip(*axes.get_legend_handles_labels(), strict=True)}
    return list(lines.values()), list(lines)
