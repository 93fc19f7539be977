"""The catalogue against the call sites, read from the source: neither knows an event alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from gateway.telemetry.catalogue import CATALOGUE, COMMON_FIELDS

ROOT = Path(__file__).parents[2]
SPAN_FIELDS = {"duration_s", "outcome"}


class Site(msgspec.Struct, frozen=True):
    """One ``telemetry.event(...)`` or ``telemetry.span(...)`` of the product."""

    where: str
    call: str
    name: str
    fields: frozenset[str]


def sites() -> Iterator[Site]:
    for path in sorted([*ROOT.glob("gateway/**/*.py"), *ROOT.glob("workers/**/*.py")]):
        for node in ast.walk(ast.parse(path.read_text())):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Attribute)
                and isinstance(node.func.value, ast.Name)
                and node.func.value.id == "telemetry"
                and node.func.attr in {"event", "span"}
            ):
                name = node.args[0]
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                # A computed name could not be found by a reader's search either.
                assert isinstance(name, ast.Constant), where
                fields = frozenset(keyword.arg or "**" for keyword in node.keywords)
                yield Site(where, node.func.attr, str(name.value), fields)


SITES = list(sites())


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.where)
def test_what_is_emitted_is_declared_with_exactly_these_fields(site: Site) -> None:
    assert site.name in CATALOGUE
    declared = set(CATALOGUE[site.name].fields)
    emitted = set(site.fields) | (SPAN_FIELDS if site.call == "span" else set())

    assert "**" not in site.fields
    assert declared - emitted == set()
    assert emitted - declared - COMMON_FIELDS == set()


def test_what_is_declared_is_emitted_somewhere() -> None:
    assert set(CATALOGUE) - {site.name for site in SITES} == set()
