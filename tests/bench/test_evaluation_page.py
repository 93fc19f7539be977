"""The page without a browser: all numbers in it, nothing of a text is markup, and what is missing is said.

Drawings are looked at in tests/browser; here are their specifications.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import msgspec
import pytest

from bench.evaluation import report
from bench.evaluation.amounts import amount_of, plain
from bench.evaluation.measure import DISTURBED, Plot
from bench.evaluation.page import drawing
from bench.evaluation.page.chat import chat_part
from bench.evaluation.page.page import render
from bench.evaluation.page.panels import Curve, panel
from bench.evaluation.page.picture import picture
from bench.evaluation.page.plots import PAGE, Bar, bars
from bench.evaluation.page.sections import bars_of, section
from bench.evaluation.results import Results
from bench.evaluation.standings import measured as stood
from bench.needs import NEEDS
from tests.bench.evaluating import Noted, taken
from tests.bench.evaluation_sample import sample, without

LACK = "vega is missing (status 1): pip install"
EVIL = "<script>alert(1)</script> & \"quoted\" 'too'"


class _Texts(HTMLParser):
    """Collects tags, and what a reader sees."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.seen = ""
        self._style = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self._style = tag == "style"
        # Cells stand apart.
        self.seen += " " if tag in {"td", "th"} else ""

    def handle_endtag(self, tag: str) -> None:
        self._style = False

    def handle_data(self, data: str) -> None:
        self.seen += "" if self._style else data


def read(results: Results) -> str:
    """Return what a reader of a page without drawings sees, on one line."""
    return re.sub(r"\s+", " ", _Texts(render(results, LACK)).seen)


def test_every_measure_contestant_and_number_is_there() -> None:
    """Without drawings, so in tables: who cannot see the drawings reads the same."""
    results = sample()
    seen = read(results)
    for measured in results.measures:
        assert measured.title in seen
        assert measured.about in seen
        for result in measured.results:
            scale = amount_of(measured.value).scale
            assert plain(result.median * scale, exact=True) in seen
    for contestant in results.contestants:
        assert contestant.title in seen
        assert (contestant.lack or contestant.version) in seen
    assert "among nine of ten servers, each alone" in seen
    assert "Aleph did not take part." in seen
    assert "All lines at a glance, among nine of ten servers" in seen
    assert LACK in seen
    assert "neither first nor second here but ninth of nine" in seen


def test_of_how_many_takes_a_median_is_told() -> None:
    """By each table: the page may be of a run that has fewer of some."""
    results = sample(rounds=3)
    short = msgspec.structs.replace(
        results.measures[0],
        results=[msgspec.structs.replace(each, takes=each.takes[:2]) for each in results.measures[0].results],
    )
    seen = read(without(results, measures=[short, *results.measures[1:]]))
    assert "Echo, 64 connections: medians of two takes" in seen
    assert "KVS GET, 64 connections: medians of three takes" in seen
    assert ", 3 rounds" in seen
    assert "Echo, 64 connections: one take" in read(sample(rounds=1))


def test_a_place_that_is_shared_is_called_shared() -> None:
    """In the table at a glance too."""
    seen = read(sample())
    assert "RPC 50 ms, 1,000 connections first, shared 1.0" in seen
    assert "Echo, 64 connections second 0.7" in seen
    assert "Cold start less is better ninth 105" in seen


def test_what_became_of_messages_is_counted() -> None:
    """Chat turns and conversations, from their own reports; promises that are missed are told in the answer."""
    seen = read(sample())
    assert "Chat SDK on Node 200 100 0 0 0 0" in seen
    assert "Promises beyond these lines that it does not keep" in seen
    assert "Chat turns, turns/s to those of the best of the others: 1.23 times, promised at least 3 times" in seen
    assert "not measured, promised at most 1 times" in seen
    # A channel's row says what its note says.
    assert "slack: 6,000 messages" not in seen
    assert "of a core meanwhile: PostgreSQL 30%" in seen


def test_what_a_reader_of_numbers_must_know_is_told_once() -> None:
    """With those whom it is about."""
    results = sample()
    echo = results.measures[0]
    notes = {"go": ["limited by the generator, 2 of 5 takes"], "ours": ["limited by the generator"], "node": ["slow"]}
    noted = [msgspec.structs.replace(each, notes=notes.get(each.contestant, [])) for each in echo.results]
    seen = read(without(results, measures=[msgspec.structs.replace(echo, results=noted)]))
    assert "Limited by the generator: Go, net/http (2 of 5 takes) and Switchboard" in seen
    assert "Slow: Node, bare http" in seen
    noted = [msgspec.structs.replace(each, notes=["slow"]) for each in echo.results]
    assert "Slow: all of them" in read(without(results, measures=[msgspec.structs.replace(echo, results=noted)]))


def test_no_text_is_markup() -> None:
    """Wherever it comes from: titles, reasons, versions, units, notes, other reports."""
    results = sample()
    contestants = [
        msgspec.structs.replace(each, title=EVIL, version=EVIL, lack=EVIL if each.lack else "")
        for each in results.contestants
    ]
    measures = [
        msgspec.structs.replace(
            each, title=EVIL, about=EVIL, unit=EVIL, out={"go": EVIL},
            results=[msgspec.structs.replace(one, notes=[EVIL]) for one in each.results],
        )
        for each in results.measures
    ]  # fmt: skip
    chat = {"goals": [], "notes": [EVIL], "samples": {"lines": {EVIL: {}}, "scenes": {EVIL: {EVIL: {"asked": 1}}}}}
    locust = {"goals": [], "notes": [EVIL], "samples": {"summary": {"channels": {EVIL: {"asked": 1}}}}}
    machine = msgspec.structs.replace(results.machine, model=EVIL, platform=EVIL)
    texts = _Texts(
        render(
            without(
                results, contestants=contestants, measures=measures, chat=chat, locust=locust, machine=machine,
                notes=[EVIL], began=EVIL,
            ),
            EVIL,
        )
    )  # fmt: skip
    assert "script" not in texts.tags
    assert texts.seen.count(EVIL) > 50


@pytest.mark.skipif(not NEEDS["vega"].there, reason="what draws is not installed (python -m bench.evaluation)")
def test_no_text_of_a_drawing_is_markup() -> None:
    """What has drawn it has escaped it, and so does what made it fit for the page."""
    rows = [Bar(title=EVIL, median=4, least=3, greatest=5)]
    texts = _Texts(drawing.svg(bars(rows, amount_of("rate", EVIL), PAGE, width=300), EVIL))
    assert texts.tags <= {"svg", "g", "path", "line", "text", "title"}
    assert texts.seen.count(EVIL) > 2


def test_the_page_asks_for_nothing() -> None:
    """No address in it, no script, and a policy that forbids both."""
    page = render(sample(), LACK)
    assert re.findall(r"(?:src|href|action|url)\s*[=(]\s*[\"']?(?!#|data:,)[^\"')\s]+", page) == []
    assert "@import" not in page
    assert "default-src 'none'" in page
    assert "<script" not in page


def test_what_was_not_part_of_a_run_is_said() -> None:
    """A quick run has five lines and nothing else."""
    results = sample(quick=True, rounds=1)
    results = without(results, measures=results.measures[:5], chat=None, locust=None)
    seen = read(results)
    assert "a quick run of one short round" in seen
    assert "What a whole run has and this one was without:" in seen
    assert "chat turns; by themselves: .venv/bin/python -m bench.chat" in seen
    assert "conversations; by themselves: .venv/bin/python -m bench.locust" in seen
    assert "curves, overload, memory, a database that stalls, slow clients and cold starts" in seen
    # No headings without anything below them.
    assert "What they did not measure" not in seen
    assert "Conversations on all channels" not in seen
    assert "one take" in seen
    assert "One take each, so no spread" in seen
    assert "was without" not in read(sample())


def test_a_disturbed_line_is_marked_at_a_glance() -> None:
    """And in the answer, not in a footnote alone."""
    takes = {"ours": [taken(2, DISTURBED), taken(2)], "go": [taken(1), taken(1)]}
    seen = read(without(sample(), measures=[stood(Noted(), takes, {})]))
    assert "Noted disturbed: 1 of 4 takes first" in seen
    assert "on the one line. Disturbed: during 1 of 4 takes" in seen


def test_a_lower_bound_is_marked_wherever_its_number_is() -> None:
    """At a glance, in the table, in the drawing; and nothing is divided by it."""
    more = msgspec.structs.replace(taken(50), at_least=True)
    found = stood(Noted(), {"ours": [taken(76)], "go": [more]}, {})
    seen = read(without(sample(), measures=[found]))
    assert "Noted first, shared – 76.0 requests/s Go, net/http: ≥ 50.0 requests/s" in seen
    assert "Go, net/http ≥ 50.0 one take" in seen
    spec = bars(bars_of(found, "rate", {}), amount_of("rate"), PAGE, width=300)
    assert [each["amount"] for each in spec["data"]["values"]] == ["76.0/s", "≥ 50.0/s"]


def test_who_never_came_back_has_no_time_for_it() -> None:
    """The longest that was waited is no measurement; neither is one take of two."""
    takes = {"ours": [taken(2, back_s=0.4)], "go": [taken(1), taken(1, back_s=0.1)]}
    found = stood(Noted(), takes, {})
    spec = bars(bars_of(found, "back_s", {}), amount_of("back_s"), PAGE, width=300)
    assert [each["median"] for each in spec["data"]["values"]] == [0.4, None]
    assert spec["data"]["values"][1]["amount"] == "not back"
    assert "go: not back" in spec["data"]["values"][1]["told"]
    assert "1.00 to 1.00 2.00 not back" in read(without(sample(), measures=[found]))


def test_a_run_of_nothing_is_a_page_too() -> None:
    """All contestants lack something, or all were thrown out."""
    results = sample()
    gone = [msgspec.structs.replace(each, lack="no such program") for each in results.contestants]
    none = [
        msgspec.structs.replace(each, results=[], out={"ours": "wrong"}, place=0) for each in results.measures
    ]
    seen = read(without(results, contestants=gone, measures=none))
    assert "Switchboard has no result in this run." in seen
    assert "no result here: wrong" in seen
    assert read(without(results, contestants=[], measures=[], chat={}, locust={}))


def test_values_that_some_contestants_lack_are_empty_cells() -> None:
    """A measure's values may differ from one contestant to the next."""
    results = sample()
    echo = results.measures[0]
    first = msgspec.structs.replace(echo.results[0], values={"rate": 1.0})
    changed = msgspec.structs.replace(echo, results=[first, *echo.results[1:]])
    assert "Echo, 64 connections" in read(without(results, measures=[changed]))


ROWS = [
    Bar(title="Go, net/http of a long name", median=4, least=3, greatest=5),
    Bar(title="Ours", median=8, least=8, greatest=9, ours=True),
]


def test_bars_begin_at_zero_and_say_all_in_words() -> None:
    """Also where they are told from each other by colour: names, and which is ours."""
    spec = bars(ROWS, amount_of("rate"), PAGE, width=300)
    x = spec["layer"][0]["encoding"]["x"]
    assert spec["layer"][0]["mark"]["type"] == "bar"
    assert x["scale"]["domain"][0] == 0
    values = spec["data"]["values"]
    assert [each["name"] for each in values] == ["Go", "Ours (ours)"]
    assert [each["name_below"] for each in values] == ["net/http of a long name", ""]
    assert values[0]["told"] == "Go, net/http of a long name: 4.00/s (3.00/s to 5.00/s)"


def test_amounts_far_apart_are_points_on_a_logarithmic_axis() -> None:
    """A bar that does not begin at zero would lie; where more is better the longest bar is what counts."""
    far = [*ROWS, Bar(title="Slow", median=900, least=800, greatest=1_000)]
    spec = bars(far, amount_of("p99_ms"), PAGE, width=300, less_is_better=True)
    assert spec["layer"][0]["mark"]["type"] == "point"
    assert spec["layer"][0]["encoding"]["x"]["scale"]["type"] == "log"
    assert bars(far, amount_of("rate"), PAGE, width=300)["layer"][0]["mark"]["type"] == "bar"


def test_of_one_round_no_spread_is_drawn() -> None:
    once = [Bar(title="Go", median=4, least=4, greatest=4)]
    marks = [layer["mark"]["type"] for layer in bars(once, amount_of("rate"), PAGE, width=300)["layer"]]
    assert "rule" not in marks
    assert "rule" in [layer["mark"]["type"] for layer in bars(ROWS, amount_of("rate"), PAGE, width=300)["layer"]]


def test_in_anothers_panel_ours_is_dashed() -> None:
    """Two lines that matter are told apart without colour; what a logarithmic axis has no place for is left out."""
    plot = Plot(x="rate", x_title="asked", y="p99_ms", y_title="p99, ms", log_y=True)
    ours = Curve(title="Ours", rows=[{"rate": 1.0, "p99_ms": 2.0}, {"rate": 2.0, "p99_ms": 0.0}], ours=True)
    go = Curve(title="Go", rows=[{"rate": 1.0, "p99_ms": 3.0}, {"rate": 2.0, "p99_ms": 4.0}])
    dashed = {
        curve.title: [
            len(layer["data"]["values"])
            for layer in panel(curve, [ours, go], plot, PAGE, width=170, height=130)["layer"]
            if "strokeDash" in layer["mark"]
        ]
        for curve in (ours, go)
    }
    assert dashed == {"Ours": [], "Go": [1]}


def test_chat_turns_are_drawn_best_first() -> None:
    """The ceiling is named as one."""
    report = sample().chat
    assert report is not None
    rates, p99 = chat_part(report).drawn
    assert [bar.title for bar in rates.bars][:2] == ["A bare bot in Go, the ceiling", "Switchboard"]
    assert p99.bars[0].median <= p99.bars[1].median


@pytest.mark.parametrize("chat", [True, False])
def test_the_picture_has_the_lines_of_2018(chat: bool) -> None:
    """And whatever else finds room."""
    results = sample()
    spec = picture(results if chat else without(results, chat=None))
    titles = [each["title"]["text"] for each in spec["concat"]]
    assert titles[:2] == ["Echo, 64 connections: requests/s", "RPC 50 ms, 1,000 connections: requests/s"]
    assert len(titles) == 6
    assert ("Chat turns, 64 under way: turns/s" in titles) is chat


def test_the_picture_says_who_is_missing_and_of_how_many_takes_it_is() -> None:
    """It is what people share."""
    spec = picture(sample())["title"]
    assert "Among nine of ten servers" in spec["text"][0]
    assert spec["subtitle"][0] == "Aleph did not take part."
    assert spec["subtitle"][-1].endswith("medians of 5 rounds, with least and greatest.")
    once = picture(sample(rounds=1))["title"]["subtitle"]
    assert "One take each, so no spread" in once[1]
    assert once[-1].endswith("; one take each.")


@pytest.mark.skipif(not NEEDS["vega"].there, reason="what draws is not installed (python -m bench.evaluation)")
def test_drawings_say_which_is_better_and_nothing_is_drawn_of_zeros() -> None:
    """An axis without a bar says less than the table does."""
    takes = {"ours": [taken(2, away_share=0.0)], "go": [taken(1, away_share=0.0)]}
    drawn = section(stood(Noted(), takes, {}), {}, drawn=True).figures
    assert [each.caption for each in drawn] == ["Requests/s, more is better"]
    takes["go"] = [taken(1, away_share=0.5)]
    drawn = section(stood(Noted(), takes, {}), {}, drawn=True).figures
    assert [each.caption for each in drawn][1:] == ["Not answered in time, %, less is better"]


@pytest.mark.skipif(not NEEDS["vega"].there, reason="what draws is not installed (python -m bench.evaluation)")
def test_page_and_picture_are_named_after_their_json(tmp_path: Path) -> None:
    """Runs in one folder each have their own."""
    for name in ("one", "other"):
        report.draw(sample(), tmp_path / f"{name}.json")
    assert "<code>one.json</code>, beside this page" in (tmp_path / "one.html").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"one.html", "one.png", "other.html", "other.png"}
