"""Every metric that the shipped dashboard and alert rules name exists, with the labels that they use."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from ml_connector.engine.metrics import Metrics

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD: Any = json.loads((DEPLOY / "grafana" / "ml-connector.json").read_text())
RULES: Any = yaml.safe_load((DEPLOY / "prometheus" / "alerts.yaml").read_text())


def known() -> dict[str, set[str]]:
    """Series by name, with their labels."""
    metrics: list[Any] = list(Metrics().registry._collector_to_names)  # pyright: ignore[reportPrivateUsage]
    return {name: set(metric._labelnames) for metric in metrics for name in names_of(metric)}


def names_of(metric: Any) -> Iterator[str]:
    name = metric._name
    match metric._type:
        case "counter":
            yield f"{name}_total"
        case "histogram":
            yield from (f"{name}_bucket", f"{name}_sum", f"{name}_count")
        case _:
            yield name


def expressions() -> list[tuple[str, str]]:
    panels = [(panel["title"], each["expr"]) for panel in DASHBOARD["panels"] for each in panel["targets"]]
    return panels + [(rule["alert"], rule["expr"]) for group in RULES["groups"] for rule in group["rules"]]


@pytest.mark.parametrize(("title", "expression"), expressions())
def test_every_metric_that_is_named_exists(title: str, expression: str) -> None:
    series = known()
    named = re.findall(r"\b(ml_connector_\w+)(?:\{([^}]*)\})?", expression)
    assert named, title
    for name, matchers in named:
        assert name in series, f"{title}: {name}"
        used = set(re.findall(r"(\w+)\s*[=!]~?", matchers))
        assert used <= series[name], f"{title}: {name} has no label {used - series[name]}"
    every = set().union(*(series[name] for name, _ in named)) | {"le"}
    for group in re.findall(r"(?:by|on) \(([^)]*)\)", expression):
        assert set(filter(None, re.split(r",\s*", group))) <= every, f"{title}: {group}"


def test_every_metric_is_on_the_dashboard_or_in_a_rule() -> None:
    everything = " ".join(expression for _, expression in expressions())
    shown = {name.removesuffix("_bucket").removesuffix("_count").removesuffix("_sum") for name in known()}
    assert {name for name in shown if name not in everything} == set()


def test_the_files_are_what_their_readers_expect() -> None:
    ids = [panel["id"] for panel in DASHBOARD["panels"]]
    assert len(ids) == len(set(ids))
    for rule in (rule for group in RULES["groups"] for rule in group["rules"]):
        assert {"alert", "expr", "labels", "annotations"} <= rule.keys()
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert {"summary", "description"} == rule["annotations"].keys()
        assert rule["expr"].count("(") == rule["expr"].count(")")
