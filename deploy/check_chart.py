"""Lints the Helm chart, renders it with many values, and holds what comes out against Kubernetes' schemas.

``make check-chart`` runs it in an environment of its own, with Helm's library and those schemas. No cluster
is asked. The kinds of Prometheus' operator and of KEDA, which have no schema there, are only rendered.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from helm_python import Chart, HelmError, lint

ROOT = Path(__file__).resolve().parent
CHART = ROOT / "chart"
VERSIONS = ("1.27", "1.31", kubernetes_validate.latest_version())
WITHOUT_SCHEMA = {"ServiceMonitor", "ScaledObject"}
WARNING = 2  # of lint's severities

AUTHORIZATION = {"credentials": {"name": "scrape", "key": "token"}}
EVERYTHING: dict[str, Any] = {
    "settings": {
        "text_slots": 8,
        "max_picture_bytes": 134217728,
        "cors_origins": ["https://a", "https://b"],
        "protect_metrics": True,
    },
    "secrets": {"keys": "keys", "adminToken": "token"},
    "checkpoints": {"existingClaim": "models", "subPath": "v2"},
    "serviceMonitor": {
        "enabled": True,
        "labels": {"release": "prometheus"},
        "authorization": AUTHORIZATION,
    },
    "networkPolicy": {"from": [{"namespaceSelector": {}}], "egress": [{"ports": [{"port": 4317}]}]},
    "training": {"enabled": True, "existingClaim": "runs", "args": ["--preset", "shakespeare"]},
    "nodeSelector": {"disk": "ssd"},
    "runtimeClassName": "nvidia",
    "image": {"pullSecrets": ["registry"]},
}
GPU: dict[str, Any] = yaml.safe_load((CHART / "values-gpu.yaml").read_text())
TAKEN: dict[str, dict[str, Any]] = {
    "defaults": {},
    "everything": EVERYTHING,
    "on a GPU": GPU,
    "HPA": {"autoscaling": {"by": "hpa"}},
    "KEDA": {"autoscaling": {"by": "keda"}},
    "open": {"networkPolicy": {"enabled": False}},
}
REFUSED: dict[str, dict[str, Any]] = {
    "an unknown value": {"replica": 3},
    "a secret among the settings": {"settings": {"api_keys": "abc"}},
    "a variable for a setting": {"settings": {"PROSPERO_PORT": 8001}},
    "an autoscaler that isn't there": {"autoscaling": {"by": "vpa"}},
    "training without a disk": {"training": {"enabled": True}},
    "a monitor without the key that is asked for": {
        "settings": {"protect_metrics": True},
        "serviceMonitor": {"enabled": True},
    },
}


def manifests(values: dict[str, Any]) -> list[dict[str, Any]]:
    """What `helm install prospero` would send, in the namespace `models`."""
    with Chart.load(CHART) as chart:
        rendered = chart.render(values, name="prospero", namespace="models")
    documents = [one for text in rendered.values() for one in yaml.safe_load_all(text)]
    return [one for one in documents if one]


def check(values: dict[str, Any]) -> str:
    """Lint and validate; which kinds were rendered."""
    report = lint(CHART, values, strict=True)
    found = [one for one in report["messages"] if one["severity"] >= WARNING]
    if found or report["errors"]:
        raise SystemExit(f"lint: {found} {report['errors']}")
    kinds = []
    for manifest in manifests(values):
        kinds.append(manifest["kind"])
        if manifest["kind"] not in WITHOUT_SCHEMA:
            for version in VERSIONS:
                kubernetes_validate.validate(manifest, version, strict=True)
    return ", ".join(sorted(kinds))


def main() -> int:
    for name, values in TAKEN.items():
        print(f"{name}: {check(values)}")
    (monitor,) = (one for one in manifests(EVERYTHING) if one["kind"] == "ServiceMonitor")
    if monitor["spec"]["endpoints"][0]["authorization"] != AUTHORIZATION:
        raise SystemExit("the ServiceMonitor does not say where its key is")
    for name, values in REFUSED.items():
        try:
            manifests(values)
        except HelmError as error:
            print(f"refused, {name}: {str(error).splitlines()[-1].strip()[:120]}")
        else:
            raise SystemExit(f"{name} is not refused")
    print(f"linted, rendered, valid for Kubernetes {', '.join(VERSIONS)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
