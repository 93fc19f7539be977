"""The page people look at, and the picture for the README: made of a run's JSON and nothing else.

One file that needs no network and no script.  Its numbers are in tables beside every drawing, so a page without
drawings, because what draws them could not be installed, is complete too.  All texts are escaped; the page's own policy
forbids whatever an oversight might let through.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import jinja2
from markupsafe import Markup

from bench.contestants import OURS
from bench.evaluation.amounts import plain
from bench.evaluation.page import drawing
from bench.evaluation.page.chat import chat_part
from bench.evaluation.page.conversations import locust_part
from bench.evaluation.page.picture import picture
from bench.evaluation.page.sections import figure, section
from bench.evaluation.page.tables import glance
from bench.evaluation.results import Results
from bench.evaluation.sentences import absent, answer, listed, number, titles

__all__ = ["CLASSIC", "render", "write"]

#: The lines of 2018; whatever else was measured is what that team did not.
CLASSIC = ("echo", "rpc1000", "rpc4000", "kvs_get", "kvs_put")
_TEMPLATE = Path(__file__).parent / "template"


def write(results: Results, path: Path) -> str:
    """Write page and picture beside the JSON at *path*; return why there are no drawings, or an empty text."""
    lack = drawing.lack()
    path.with_suffix(".html").write_text(render(results, lack, source=path.name), encoding="utf-8")
    if not lack:
        path.with_suffix(".png").write_bytes(drawing.png(picture(results), scale=2.0))
    return lack


def render(results: Results, lack: str = "", *, source: str = "evaluation.json") -> str:
    """Return the page; without drawings if there is a *lack*.  *source*: the name of the JSON beside it."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATE),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    names = titles(results)
    sections = [section(measured, names, drawn=not lack) for measured in results.measures]
    chat = chat_part(results.chat) if results.chat is not None else None
    locust = locust_part(results.locust) if results.locust is not None else None
    drawn = chat.drawn if chat is not None and not lack else ()
    return environment.get_template("page.html.j2").render(
        css=Markup((_TEMPLATE / "page.css").read_text(encoding="utf-8")),  # noqa: S704 (ours, in a style element)
        results=results,
        ours=names.get(OURS, OURS),
        answer=answer(results),
        glance=glance(results.measures, names),
        classic=[each for each in sections if each.name in CLASSIC],
        beyond=[each for each in sections if each.name not in CLASSIC],
        chat=chat,
        chat_figures=[figure(each.title, each.bars, each.amount, less_is_better=each.less_is_better) for each in drawn],
        locust=locust,
        missed=[
            (title, goal)
            for title, part in (("Chat turns", chat), ("Conversations", locust))
            if part is not None
            for goal in part.held
            if not goal.ok
        ],
        ran=[contestant for contestant in results.contestants if not contestant.lack],
        missing=_missing(results),
        source=source,
        began=_day(results.began),
        lack=lack,
        plain=plain,
        number=number,
    )


def _missing(results: Results) -> list[tuple[str, str]]:
    """Return why each is not there who could have been, those of one reason together."""
    reasons: dict[str, list[str]] = {}
    for each in absent(results):
        out = next((measured.out[each.name] for measured in results.measures if each.name in measured.out), "")
        reasons.setdefault(each.lack or out or "has no result on any line", []).append(each.title)
    return [(listed(who), reason) for reason, who in reasons.items()]


def _day(instant: str) -> str:
    try:
        began = datetime.fromisoformat(instant).astimezone(UTC)
    except ValueError:
        return instant
    return f"{began.day} {began:%B %Y, %H:%M} UTC"
