"""The dashboard's file is what its code says, and asks for what the service or a rule gives."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import yaml

from deploy.dashboard import FILE, ROWS, build, queries
from service.http.connections import ConnectionLimits, Connections
from service.metrics import Metrics

ROOT = Path(__file__).resolve().parents[2]


def test_the_file_is_what_the_code_says() -> None:
    assert FILE.read_text() == build(), "run `make dashboard`"


def test_each_query_can_be_told_from_its_neighbours() -> None:
    panels = [panel for panel in json.loads(build())["panels"] if panel["type"] != "row"]
    assert len(panels) == sum(map(len, ROWS.values()))
    letters = [[target["refId"] for target in panel["targets"]] for panel in panels]
    assert sum(map(len, letters)) == len(queries())
    assert all(len(set(one)) == len(one) and all(one) for one in letters)


def test_what_alerts_and_panels_ask_for_is_recorded_or_measured() -> None:
    metrics = Metrics()
    metrics.watch([], list)
    metrics.watch_connections(Connections(ConnectionLimits(1, 1, 1, 1.0, 1.0)))
    metrics.watch_output(dict)
    metrics.watch_traces(SimpleNamespace(num_sent=0, num_dropped=0))
    known = set(re.findall(r"^# TYPE (\S+)", metrics.render().decode(), re.MULTILINE))
    known |= {name + end for name in known for end in ("_bucket", "_sum", "_count")}
    folder = ROOT / "deploy" / "prometheus"
    groups = [yaml.safe_load((folder / name).read_text())["groups"] for name in ("rules.yml", "alerts.yml")]
    rules = [rule for file in groups for group in file for rule in group["rules"]]
    known |= {rule["record"] for rule in rules if "record" in rule}
    asked = " ".join([*queries(), *(rule["expr"] for rule in rules)])
    named = set(re.findall(r"\b(?:(?:model|instance):)?(?:prospero|process)_[a-z0-9_:]+", asked))
    assert len(named) > 25
    assert named <= known


def test_each_alert_has_a_test_in_which_it_fires() -> None:
    folder = ROOT / "deploy" / "prometheus"
    rules = yaml.safe_load((folder / "alerts.yml").read_text())["groups"][0]["rules"]
    tests = yaml.safe_load((folder / "alerts_test.yml").read_text())["tests"]
    fired = {one["alertname"] for test in tests for one in test["alert_rule_test"] if one.get("exp_alerts")}
    assert fired == {rule["alert"] for rule in rules}
