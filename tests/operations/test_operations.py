"""The page on operations against the code: nothing is missing there, and it asks for nothing that is not."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import promql_parser
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from gateway.settings.accounts import WebchatAccount
from gateway.settings.load import load
from gateway.settings.settings import SECTIONS
from gateway.telemetry.catalogue import CATALOGUE
from gateway.telemetry.metrics import METRICS, Metrics

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "config" / "OPERATIONS.md").read_text()
ALERTS: list[dict[str, Any]] = yaml.safe_load((ROOT / "config" / "alerts.yml").read_text())["groups"][0]["rules"]
#: Times are no bounds of a number, and a bench's sizes nobody's alarm.
BOUNDS = [
    f"{section}.{field.name}"
    for section, struct in SECTIONS.items()
    for field in msgspec.structs.fields(struct)
    if field.name.endswith("_max") and section != "bench"
]
#: Where refusals are made, by folder or file.
REFUSERS = (
    "server/head.py", "server/reader.py", "server/refusals.py", "server/forwarded.py",
    "intake/accept.py", "store/batcher.py", "store/postgres.py", "lanes/owner.py",
    "rpc/backend.py", "rpc/client.py", "rpc/member.py", "rpc/pool.py", "jobs/backlog.py",
)  # fmt: skip
#: Names of functions that make refusals of their first argument.
MAKERS = {"_overloaded", "_refusal"}


def _families() -> dict[str, set[str]]:
    """Return each series' name as Prometheus has it, and its labels."""
    account = WebchatAccount(channel="webchat", name="shop", assistant="clerk")
    metrics = Metrics((account,))
    found = {"switchboard_account_tenant": {"channel", "account", "tenant"}}
    kinds = {one.name: one.type for one in text_string_to_metric_families(metrics.scrape().decode())}
    for metric in METRICS:
        labels = set(metric.labels)
        match kinds[metric.name]:
            case "counter":
                found[f"{metric.name}_total"] = labels
            case "histogram":
                found |= {f"{metric.name}_{part}": labels | ({"le"} if part == "bucket" else set())
                          for part in ("bucket", "sum", "count")}
            case _:
                found[metric.name] = labels
    return found


SERIES = _families()
#: Series without labels are there from the start, in gateways and workers alike.
SHOWN_BY_ALL = {line.partition(" ")[0] for line in Metrics().scrape().decode().splitlines()}


def _rows() -> dict[str, tuple[str, str]]:
    """Return the tables of metrics: name, expression, and what to do."""
    section = PAGE.partition("\n# Metrics\n")[2]
    found = re.findall(r"^\| `(switchboard_\w+)` \| `([^|]+)` \| ([^|]+) \|$", section, re.MULTILINE)
    assert len({name for name, _, _ in found}) == len(found), "a metric stands there twice"
    return {name: (expression, remedy) for name, expression, remedy in found}


def _expressions() -> Iterator[str]:
    yield from (expression for expression, _ in _rows().values())
    yield from (rule["expr"] for rule in ALERTS)


def _reasons() -> set[str]:
    """Return the words by which the code above refuses."""
    found = set()
    for path in REFUSERS:
        for node in ast.walk(ast.parse((ROOT / "gateway" / path).read_text())):
            if not isinstance(node, ast.Call):
                continue
            made = [keyword.value for keyword in node.keywords if keyword.arg == "reason"]
            if isinstance(node.func, ast.Name | ast.Attribute):
                name = node.func.id if isinstance(node.func, ast.Name) else node.func.attr
                made += node.args[:1] if name in MAKERS else []
                made = [] if name == "event" else made
            found |= {one.value for one in made if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return found


def test_each_metric_stands_there_once_with_an_alarm_and_a_remedy() -> None:
    rows = _rows()
    assert set(rows) == {metric.name for metric in METRICS} | {"switchboard_account_tenant"}
    for name, (expression, remedy) in rows.items():
        assert re.search(rf"\b{name}(_total|_bucket|_sum|_count)?\b", expression), f"{name}: the alarm is another's"
        assert len(remedy) > 10


@pytest.mark.parametrize("expression", sorted(set(_expressions())))
def test_an_expression_asks_for_what_is_there(expression: str) -> None:
    """Parsed as Prometheus does, which knows its functions and what each of them takes."""
    counted = {name for name in SERIES if name.endswith(("_total", "_bucket", "_sum", "_count"))}
    asked: set[str] = set()

    def visit(part: Any) -> bool:
        match part:
            case promql_parser.MatrixSelector():
                assert part.vector_selector.name in counted, "the range of a rate is for what is counted"
            case promql_parser.VectorSelector():
                assert part.name in SERIES, f"{part.name} is no series; expected one of {sorted(SERIES)}"
                assert {matcher.name for matcher in part.matchers.matchers} <= SERIES[part.name]
                asked.add(part.name)
            case promql_parser.Call() if part.func.name == "absent":
                [selector] = part.args
                assert selector.name not in SHOWN_BY_ALL, "whoever is there shows it, as nothing"
            case promql_parser.AggregateExpr() if part.modifier:
                by = set(part.modifier.labels)
                promql_parser.walk(part.expr, lambda inner: _has(inner, by))
        return True

    promql_parser.walk(promql_parser.parse(expression), visit)
    assert asked


def _has(part: Any, labels: set[str]) -> bool:
    if isinstance(part, promql_parser.VectorSelector):
        assert part.name is not None
        assert labels <= SERIES[part.name]
    return True


@pytest.mark.parametrize("bound", BOUNDS)
def test_each_bound_stands_in_a_table(bound: str) -> None:
    section = PAGE.partition("\n# Bounds\n")[2].partition("\n# Metrics\n")[0]
    assert re.search(rf"^\|[^|]*`{re.escape(bound)}`[^|]*\|", section, re.MULTILINE)


def test_each_refusal_is_named_by_its_reason() -> None:
    reasons = _reasons()
    assert reasons >= {"lane_full", "ledger_busy", "shed", "body_too_slow", "calls_full"}
    named = set(re.findall(r"`(\w+)`", PAGE))
    assert not reasons - named


def test_what_is_named_like_a_setting_is_one() -> None:
    fields = {f"{section}.{field.name}" for section, of in SECTIONS.items() for field in msgspec.structs.fields(of)}
    sections = "|".join(SECTIONS)
    said = set(re.findall(rf"`((?:{sections})\.[a-z_]+)`", PAGE))
    assert len(said) > 40
    assert not said - fields - CATALOGUE.keys(), "neither a setting nor an event"


def test_links_lead_somewhere() -> None:
    anchors = {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")
        for title in re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
    }
    for path, anchor in re.findall(r"\]\(([^)#]*)#?([^)]*)\)", PAGE):
        if path:
            assert (ROOT / "config" / path).resolve().exists(), path
        else:
            assert anchor in anchors, anchor
    for rule in ALERTS:
        path, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert path == "config/OPERATIONS.md"
        assert anchor in anchors


def test_the_first_starts_settings_are_enough_and_its_commands_those_of_the_procfile(tmp_path: Path) -> None:
    """No trial: the settings stand there whole, with the secrets that the page makes, and no others."""
    section = PAGE.partition("\n# The first start\n")[2].partition("\n# ")[0]
    settings = tmp_path / "shop.toml"
    settings.write_text(section.partition("```toml\n")[2].partition("```")[0])
    made = set(re.findall(r"> \$SWITCHBOARD_HOME/(secrets/\w+)$", section, re.MULTILINE))
    (tmp_path / "secrets").mkdir()
    for name in made:
        (tmp_path / name).write_text(f"whsec_{'c2VjcmV0' * 6}")
    exports = " ".join(re.findall(r"^\$ export (.+)$", section, re.MULTILINE))
    exported = dict(one.split("=", 1) for one in exports.split())
    assert set(exported) >= {"SWITCHBOARD_CONFIG", "SWITCHBOARD_HOME", "DATABASE_URL", "REDIS_URL"}

    loaded = load(settings, {**exported, "SWITCHBOARD_HOME": str(tmp_path)})

    assert set(loaded.accounts) == {("webchat", "shop")}
    assert set(re.findall(r"file:(secrets/\w+)", settings.read_text())) == made
    commands = set(re.findall(r"^\$ (.+)$", section, re.MULTILINE))
    for line in (ROOT / "Procfile").read_text().splitlines():
        assert line.partition(": ")[2].replace("HOST=${HOST:-0.0.0.0} ", "") in commands


def test_alerts_that_wake_somebody_are_the_pages() -> None:
    expressions = {expression for expression, _ in _rows().values()}
    names = [rule["alert"] for rule in ALERTS]
    assert len(set(names)) == len(names)
    for rule in ALERTS:
        assert rule["expr"] in expressions, f"{rule['alert']} is not explained in OPERATIONS.md"
        assert rule["labels"]["severity"] in {"page", "ticket"}
        # What Prometheus does not know in a rule it refuses, with the whole file.
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert re.fullmatch(r"\d+[smh]", rule.get("for", "1m"))
