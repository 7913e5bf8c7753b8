"""docs/monitoring: every query parses, and asks for metrics and labels that are there."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser as promql
import pytest
import yaml

from tests.docs.test_metrics_page import told

ROOT = Path(__file__).parents[2] / "docs" / "monitoring"
METRICS = told()
OF_THE_SCRAPE = {"instance", "job"}
PARTS_OF_HISTOGRAM = ("_bucket", "_sum", "_count")
OF_COUNTERS = {"rate", "increase"}
OF_GAUGES = {"delta"}
SEVERITIES = {"page", "warn"}


def alerts() -> list[dict[str, Any]]:
    document = yaml.safe_load((ROOT / "alerts.yml").read_text())
    return [rule for group in document["groups"] for rule in group["rules"]]


def panels() -> list[dict[str, Any]]:
    document = json.loads((ROOT / "grafana.json").read_text())
    return [panel for panel in document["panels"] if panel["type"] != "row"]


def queries() -> Iterator[tuple[str, str]]:
    for rule in alerts():
        yield f"alert {rule['alert']}", rule["expr"]
    for panel in panels():
        for target in panel["targets"]:
            where = f"panel {panel['title']}: {target['legendFormat']}"
            yield where, target["expr"].replace("$__rate_interval", "5m")


QUERIES = dict(queries())


def nodes(text: str) -> list[promql.Expr]:
    found: list[promql.Expr] = []
    promql.walk(promql.parse(text), found.append)
    return found


def family_of(sample: str) -> str:
    for part in PARTS_OF_HISTOGRAM:
        name = sample.removesuffix(part)
        if name != sample and METRICS[name].type == "histogram":
            return name
    return sample


@pytest.mark.parametrize("where", QUERIES)
def test_every_query_asks_for_what_is_there(where: str) -> None:
    selectors = [one for one in nodes(QUERIES[where]) if isinstance(one, promql.VectorSelector)]
    assert selectors
    for selector in selectors:
        asked = {matcher.name for matcher in selector.matchers.matchers} - OF_THE_SCRAPE
        known = (
            frozenset[str]() if selector.name == "up" else METRICS[family_of(selector.name)].labels
        )
        assert asked <= known, selector


@pytest.mark.parametrize("where", QUERIES)
def test_counters_are_asked_for_their_rate_and_gauges_are_not(where: str) -> None:
    found = nodes(QUERIES[where])
    ranged = {
        id(call): (call.func.name, call.args[0].vector_selector.name)
        for call in found
        if isinstance(call, promql.Call) and isinstance(call.args[0], promql.MatrixSelector)
    }
    for function, name in ranged.values():
        kind = METRICS[family_of(name)].type
        assert function in (OF_GAUGES if kind == "gauge" else OF_COUNTERS), (function, name)
    names = [one.name for one in found if isinstance(one, promql.VectorSelector)]
    counting = [n for n in names if n != "up" and METRICS[family_of(n)].type != "gauge"]
    assert set(counting) <= {name for _, name in ranged.values()}


def test_every_alert_says_how_bad_it_is_and_what_it_is() -> None:
    names = [rule["alert"] for rule in alerts()]
    assert len(set(names)) == len(names)
    for rule in alerts():
        assert set(rule["labels"]) == {"severity"}
        assert rule["labels"]["severity"] in SEVERITIES
        assert rule["annotations"]["summary"]
        promql.parse_duration(rule.get("for", "1s"))


def test_no_two_panels_are_one_or_lie_on_one_another() -> None:
    document = json.loads((ROOT / "grafana.json").read_text())
    assert len({panel["id"] for panel in document["panels"]}) == len(document["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in document["panels"]:
        at = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(at["x"], at["x"] + at["w"])
            for y in range(at["y"], at["y"] + at["h"])
        }
        assert not cells & taken, panel["title"]
        assert at["x"] + at["w"] <= 24
        taken |= cells
