"""docs/metrics.md against the registry: every metric is there as it is, and no other."""

from pathlib import Path
from typing import Any

from msgspec import Struct
from prometheus_client import Metric

from server.metrics import REFUSALS
from tests.server.harness import started

PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()


class Told(Struct, frozen=True):
    type: str
    labels: frozenset[str]


def told() -> dict[str, Told]:
    """Read the tables of the page: name, type, unit, labels, meaning."""
    found: dict[str, Told] = {}
    for line in PAGE.splitlines():
        if line.startswith("| `"):
            name, kind, unit, labels, meaning = (cell.strip() for cell in line[1:-1].split("|"))
            assert name not in found, name
            assert unit, name
            assert meaning, name
            words = (label.strip("` ") for label in labels.split(","))
            found[name.strip("`")] = Told(kind, frozenset(filter(None, words)))
    return found


def published(family: Metric) -> tuple[str, Told]:
    assert family.documentation, family.name
    assert family.samples, family.name
    name = f"{family.name}_total" if family.type == "counter" else family.name
    labels = frozenset(label for sample in family.samples for label in sample.labels)
    return name, Told(family.type, labels - {"le"})


async def test_every_metric_is_told_as_it_is_and_no_other(aiohttp_client: Any) -> None:
    face = await started(aiohttp_client)
    await face.create()
    families = list(face.service.metrics.registry.collect())
    assert len({family.name for family in families}) == len(families)
    assert dict(published(family) for family in families) == told()


def test_every_reason_of_a_refusal_is_told() -> None:
    (row,) = (line for line in PAGE.splitlines() if "| `spoolog_requests_refused_total`" in line)
    for status, reason in REFUSALS.items():
        assert f"{status} (`{reason}`)" in row
