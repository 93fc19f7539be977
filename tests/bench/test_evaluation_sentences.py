"""What the page says in words: first, second, or plainly neither, and by how much; numbers as people read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
import pytest

from bench.evaluation.amounts import amount_of, plain
from bench.evaluation.measure import DISTURBED
from bench.evaluation.results import Contestant, Measured
from bench.evaluation.sentences import answer, listed, standing
from bench.evaluation.standings import measured
from tests.bench.evaluating import Noted, taken
from tests.bench.evaluation_sample import sample, without

TITLES = {"ours": "Switchboard", "go": "Go, net/http", "node": "Node", "fastify": "Fastify"}


def stood(
    rates: Mapping[str, Sequence[float]],
    better: Literal["more", "less"] = "more",
    out: Mapping[str, str] | None = None,
    name: str = "noted",
) -> Measured:
    takes = {who: [taken(rate) for rate in each] for who, each in rates.items()}
    return msgspec.structs.replace(measured(Noted(better=better), takes, out or {}), name=name, title=name)


@pytest.mark.parametrize(
    ("rates", "said"),
    [
        (
            {"ours": [300], "go": [200], "node": [100]},
            (
                "Switchboard is first of three, with 300 requests/s; next is Go, net/http with 200 requests/s "
                "(ours is 1.50 times that)."
            ),
        ),
        (
            {"ours": [150], "go": [200], "node": [100]},
            (
                "Switchboard is second of three, with 150 requests/s; first is Go, net/http with 200 requests/s "
                "(ours is 0.75 times that)."
            ),
        ),
        (
            {"ours": [50], "go": [200], "node": [100]},
            (
                "Switchboard is neither first nor second here but third of three, with 50.0 requests/s; first is "
                "Go, net/http with 200 requests/s (ours is 0.25 times that)."
            ),
        ),
        (
            {"ours": [190, 200], "go": [198, 210], "node": [100]},
            (
                "Switchboard shares the first place of three with Go, net/http: it has 195 requests/s, beside 204, and "
                "the spreads touch."
            ),
        ),
        # Whose median is the best may share the second place with us, and is not "first" then.
        (
            {"ours": [100, 110], "go": [50, 300, 310], "node": [120, 130]},
            (
                "Switchboard is second of three, shared with Go, net/http, with 105 requests/s; first is Node with "
                "125 requests/s (ours is 0.84 times that)."
            ),
        ),
        ({"ours": [50]}, "Switchboard has 50.0 requests/s; nobody else has a result here."),
        ({"go": [50]}, "Switchboard has no result here."),
    ],
)  # fmt: skip
def test_where_ours_stands_is_said_with_the_ratio(rates: Mapping[str, Sequence[float]], said: str) -> None:
    """One ratio means the same everywhere: ours to the other's."""
    assert standing(stood(rates), TITLES).replace("\N{NO-BREAK SPACE}", " ") == said


def test_where_less_is_better_the_ratio_is_ours_to_the_others_too() -> None:
    said = standing(stood({"ours": [400], "go": [100], "node": [200]}, "less"), TITLES)
    assert "third of three" in said
    assert "(ours is 4.00 times that)" in said


def test_why_ours_has_no_result_is_said() -> None:
    """That it was wrong is not passed over."""
    said = standing(stood({"ours": [1], "go": [2]}, out={"ours": "3 wrong lengths"}), TITLES)
    assert said == "Switchboard has no result here: 3 wrong lengths."


@pytest.mark.parametrize(
    ("ours", "lead"),
    [
        ([30, 30, 30], "first on all three lines"),
        ([30, 15, 15], "first on one of three lines, and second on two"),
        ([30, 15, 5], "first on one of three lines, second on one, and neither on one"),
        ([30, 5, 5], "first on one of three lines, and neither first nor second on two"),
        ([15, 15, 5], "first on none of three lines, second on two, and neither on one"),
        ([15, 15, 15], "second on all three lines"),
        ([5, 5, 5], "neither first nor second on any of three lines"),
        ([5], "neither first nor second on the one line"),
        ([15], "second on the one line"),
    ],
)
def test_the_answer_counts_first_second_and_neither(ours: Sequence[float], lead: str) -> None:
    """Lines without a result of ours are named, and not counted as either."""
    lines = [stood({"ours": [rate], "go": [20], "node": [10]}, name=f"line {rate}") for rate in ours]
    lines.append(stood({"go": [20]}, out={"ours": "lost"}, name="without"))
    who = [Contestant(name=name, title=title) for name, title in TITLES.items()]
    said = answer(without(sample(), measures=lines, contestants=who))
    assert said.lead == f"Among three of four servers Switchboard is {lead}."
    assert said.beside[0] == "Fastify did not take part."
    assert [each.title for each, _ in said.behind] == [f"line {rate}" for rate in ours if rate < 10]
    assert all(text.startswith("third of three, with 5.00") for _, text in said.behind)
    assert [each.title for each, _ in said.without] == ["without"]


@pytest.mark.parametrize(
    ("go", "lead"),
    [
        ([20, 20], "first on all two lines"),
        ([20, 30], "first on all two lines (one of them shared)"),
        ([30, 30], "first on all two lines (all of them shared)"),
        ([31, 30], "first on one of two lines (shared), and second on one"),
    ],
)
def test_a_place_that_is_shared_is_not_counted_as_ones_own(go: Sequence[float], lead: str) -> None:
    """A spread that is wide enough touches everybody's."""
    lines = [stood({"ours": [20 + at, 30], "go": [rate]}, name=f"line {at}") for at, rate in enumerate(go, 1)]
    who = [Contestant(name=name, title=title) for name, title in TITLES.items()]
    said = answer(without(sample(), measures=lines, contestants=who)).lead
    assert said == f"Among two of four servers Switchboard is {lead}."


def test_who_did_not_take_part_is_named_with_the_answer() -> None:
    """A place among six is not one among ten: who cannot run, who was not asked for, who is out on every line."""
    lines = [stood({"ours": [30, 31], "go": [20, 21], "node": [10, 11]}, out={"node": "wrong"})]
    who = [Contestant(name=name, title=title) for name, title in TITLES.items()]
    who = [msgspec.structs.replace(each, lack="no such program" if each.name == "fastify" else "") for each in who]
    said = answer(without(sample(), measures=lines, contestants=who))
    assert said.lead.startswith("Among two of four servers Switchboard is first")
    assert said.beside == ["Two did not take part: Node and Fastify."]
    everybody = answer(without(sample(), measures=lines, contestants=who[:2]))
    assert everybody.lead == "Among all two servers Switchboard is first on the one line."
    assert everybody.beside == []


def test_ours_alone_has_no_place() -> None:
    """First of one is nothing."""
    said = answer(without(sample(), measures=[stood({"ours": [30]}, out={"go": "wrong"})]))
    assert said.lead == "Switchboard has no place in this run: nobody else has a result."
    assert (said.first, said.without) == ([], [])


def test_a_disturbed_run_says_so_in_its_answer() -> None:
    """Whoever reads one sentence of it must know; so must who reads numbers of one take each."""
    takes = {"ours": [taken(2, DISTURBED), taken(2)], "go": [taken(1, "slow", DISTURBED), taken(1)]}
    said = answer(without(sample(), measures=[measured(Noted(), takes, {})]))
    assert said.lead.endswith(" Disturbed: during 2 of 4 takes other processes were busy on the machine.")
    assert not any(sentence.startswith("One take each") for sentence in said.beside)
    once = answer(without(sample(), measures=[stood({"ours": [2], "go": [1]})]))
    assert "Disturbed" not in once.lead
    assert once.beside[-1] == "One take each, so no spread: who is a little ahead may be behind in the next run."


def test_of_a_lower_bound_it_is_said_that_it_is_one() -> None:
    """Who was not asked for more may be before us: the place is shared, and there is no ratio."""
    more = msgspec.structs.replace(taken(50), at_least=True)
    found = measured(Noted(), {"ours": [taken(76)], "go": [more], "node": [taken(10)]}, {})
    assert found.place == 1
    said = standing(found, TITLES).replace("\N{NO-BREAK SPACE}", " ")
    assert said.endswith("it has 76.0 requests/s, beside at least 50.0, and the spreads touch.")
    ours = measured(Noted(), {"ours": [more], "go": [taken(76)], "node": [taken(10)]}, {})
    assert ours.place == 1
    next_to = measured(Noted(), {"ours": [more], "node": [taken(10)]}, {})
    assert standing(next_to, TITLES).replace("\N{NO-BREAK SPACE}", " ") == (
        "Switchboard is first of two, with at least 50.0 requests/s; next is Node with 10.0 requests/s."
    )


def test_a_run_without_ours_names_it_all_the_same() -> None:
    """As everybody is named who reads a page."""
    assert answer(sample(who=("go", "node"))).lead == "Switchboard has no result in this run."


def test_titles_with_commas_are_listed_apart() -> None:
    assert listed(["Node", "Fastify", "Plug"]) == "Node, Fastify, and Plug"
    assert listed(["Node, bare", "Fastify", "Go"]) == "Node, bare; Fastify; and Go"
    assert listed(["Node", "Go"]) == "Node and Go"


@pytest.mark.parametrize(
    ("name", "unit", "value", "text"),
    [
        ("rate", "", 41_234.0, "41,200/s"),
        ("rate", "requests/s", 987.6, "988 requests/s"),
        ("p99_ms", "", 3.14159, "3.14 ms"),
        ("goodput_share", "", 0.974, "97.4%"),
        ("goodput_share", "% of capacity", 0.974, "97.4% of capacity"),
        ("connection_kb", "KB a connection", 12.34, "12.3 KB a connection"),
        ("lost", "", 0.0, "0"),
        ("back_s", "", float("inf"), "–"),
    ],
)
def test_a_values_name_says_its_unit(name: str, unit: str, value: float, text: str) -> None:
    assert amount_of(name, unit).text(value).replace("\N{NO-BREAK SPACE}", " ") == text


def test_percentiles_and_words_are_read_from_names() -> None:
    assert amount_of("p999_ms").head == "p99.9, ms"
    assert amount_of("before_p99_ms").head == "p99 before, ms"
    assert amount_of("some_thing").head == "some thing"


def test_digits_that_say_nothing_are_rounded_away() -> None:
    assert [plain(each) for each in (123_456.0, 1_005.0, 99.96, 12.34, 0.1234, 0.01234)] == [
        "123,000", "1,000", "100.0", "12.3", "0.12", "0.012",
    ]  # fmt: skip
    assert plain(123_456.0, exact=True) == "123,456"
