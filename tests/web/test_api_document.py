"""The API keeps to its own document: schemathesis makes requests of it, good and bad, and compares the answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st

from tests.web.api_gateway import ROOT_TOKEN, ApiGateway, api_gateway

#: Requests of each operation, good and bad ones each: seconds in all, or minutes.
FEW, MANY = 5, 100
#: Bodies that say something sensible: of those that fit the schema few do.
SENSIBLE: Mapping[str, Any] = {
    "PUT /breakers/{endpoint}": {"order": "forced_closed", "reason": "it burns"},
    "PUT /jobs/pauses/{kind}": {"reason": "it burns"},
    "POST /jobs": {"kind": "greet", "payload": {"to": "Ada"}},
    "POST /users/erase": {"channel": "slack", "account": "bot", "key": "T1:U1"},
    "POST /conversations/{conversation_id}/messages": {"parts": [{"type": "text", "text": "hi"}]},
}


@pytest.fixture
def api(database: str, redis_url: str, tmp_path: Path) -> Iterator[ApiGateway]:
    with api_gateway(database, redis_url, tmp_path) as running:
        yield running


@pytest.mark.parametrize("examples", [FEW, pytest.param(MANY, marks=pytest.mark.slow)])
def test_every_answer_is_one_that_the_document_has(api: ApiGateway, database: str, examples: int) -> None:
    """Law: no answer of 5xx; each status, media type, header and body is described; what is wrong is refused."""
    # Imported here: it loads much, and only this test needs it.
    import schemathesis
    from schemathesis.checks import not_a_server_error
    from schemathesis.generation import GenerationMode
    from schemathesis.specs.openapi import checks

    wanted = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_headers_conformance,
        checks.response_schema_conformance,
        checks.negative_data_rejection,
        checks.unsupported_method,
    ]
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", api.app)
    tried: dict[str, set[int]] = {}
    for found in schema.get_all_operations():
        operation = found.ok()
        good = operation.as_strategy(generation_mode=GenerationMode.POSITIVE)
        there = {**api.fill(database), "body": SENSIBLE.get(operation.label)}
        tried[operation.label] = _try(good, examples, wanted, there)
        if list(operation.iter_parameters()) or operation.body:
            bad = operation.as_strategy(generation_mode=GenerationMode.NEGATIVE)
            tried[operation.label] |= _try(bad, examples, wanted, {})
    # It reads the document itself before it begins.
    assert tried.keys() == {f"{method} {path}" for method, path, _ in api.operations()} - {"GET /openapi.json"}
    never_done = [label for label, statuses in tried.items() if not any(200 <= status < 300 for status in statuses)]
    assert never_done == [], "an operation that refuses everything shows little"


def test_the_document_is_written_for_its_readers(api: ApiGateway) -> None:
    """Law: nothing of where our code keeps a value, and no docstring's own marks: clients are generated from it."""
    schemas = api.document["components"]["schemas"]
    assert [name for name in schemas if not name.isidentifier()] == []
    texts = list(_texts(api.document))
    assert len(texts) > len(schemas)
    assert [text for text in texts if "``" in text or ":meth:" in text or ":class:" in text or "\n    " in text] == []


def _texts(described: Any) -> Iterator[str]:
    """Yield each description in a part of the document."""
    if isinstance(described, dict):
        if isinstance(text := described.get("description"), str):
            yield text
        for one in described.values():
            yield from _texts(one)


def _try(cases: Any, examples: int, wanted: Sequence[Any], named: Mapping[str, Any]) -> set[int]:
    """Make requests, and return the statuses of their answers; *named* is what there is in the ledger."""
    statuses = set()

    @hypothesis.settings(
        max_examples=examples, deadline=None, database=None, suppress_health_check=list(hypothesis.HealthCheck)
    )
    @hypothesis.given(case=cases, there=st.booleans())
    def ask(case: Any, there: bool) -> None:
        if there and named:
            # Little of it would be found by chance.
            case.path_parameters = {name: named[name] for name in case.path_parameters}
            case.body = named["body"] or case.body
        # What would be left out of the address cannot be refused.
        hypothesis.assume(all(value not in (None, [], {}) for value in (case.query or {}).values()))
        answer = case.call_and_validate(headers={"Authorization": f"Bearer {ROOT_TOKEN}"}, checks=wanted)
        statuses.add(answer.status_code)

    ask()
    return statuses
