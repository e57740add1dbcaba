"""Writes the Grafana dashboard: ``python -m deploy.dashboard``. A row of PANELS is a row of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from grafana_foundation_sdk.builders import dashboard, prometheus, stat, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.dashboard import DataSourceRef, VariableRefresh

FILE = Path(__file__).parent / "grafana" / "dashboards" / "prospero.json"
SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")
WIDTH, HEIGHT = 24, 7  # of the grid, and of a panel


@dataclass(frozen=True)
class Panel:
    """One panel: PromQL by legend; ``is_figure`` shows the latest values as figures."""

    title: str
    unit: str
    queries: dict[str, str]
    is_figure: bool = False


# The servers that are chosen; the same, and the models that are.
S, M = 'instance=~"$instance"', 'instance=~"$instance", model=~"$model"'


def rate(counter: str, by: str, within: str = M) -> str:
    return f"sum by ({by}) (rate({counter}{{{within}}}[$__rate_interval]))"


def quantile(share: float, histogram: str, by: str, within: str = M) -> str:
    buckets = rate(f"{histogram}_bucket", f"le, {by}", within)
    return f"histogram_quantile({share}, {buckets})"


def by_model(metric: str) -> dict[str, str]:
    return {"{{model}}": f"{metric}{{{M}}}"}


def by_instance(metric: str) -> dict[str, str]:
    return {"{{instance}}": f"{metric}{{{S}}}"}


def rate_by(label: str, counter: str, within: str = M) -> dict[str, str]:
    return {f"{{{{{label}}}}}": rate(counter, label, within)}


def p50_p95(histogram: str, by: str = "model", within: str = M) -> dict[str, str]:
    return {f"{{{{{by}}}}} p{int(100 * one)}": quantile(one, histogram, by, within) for one in (0.5, 0.95)}


HTTP = "prospero_http_requests_total"
MODEL = "{{model}} {{device}} {{dtype}} {{kernel}}"
LOST = f"increase(prospero_worker_restarts_total{{{M}}}[$__range])"
ROWS: dict[str, list[Panel]] = {
    "Now": [
        Panel("Models ready", "short", {"{{instance}} {{model}}": f"prospero_engine_ready{{{M}}}"}, True),
        Panel("Version", "short", {"{{version}}": f"count by (version) (prospero_build_info{{{S}}})"}, True),
        Panel("Models", "short", {MODEL: f"prospero_model_info{{{M}}}"}, True),
        Panel("Stopping", "short", by_instance("prospero_draining"), True),
    ],
    "Requests": [
        Panel("Answers by status", "reqps", rate_by("status", HTTP, S)),
        Panel("Answers by route", "reqps", rate_by("route", HTTP, S)),
        Panel("Duration", "s", p50_p95("prospero_http_request_duration_seconds", "route", S)),
        Panel("Share of 5xx", "percentunit", by_instance("instance:prospero_http_errors:ratio_rate5m")),
    ],
    "Saturation": [
        Panel("Queue, of what it holds", "percentunit", by_model("model:prospero_queue:saturation")),
        Panel("Slots, of what there are", "percentunit", by_model("model:prospero_slots:saturation")),
        Panel("Time in the queue", "s", p50_p95("prospero_request_queue_seconds")),
        Panel("In flight", "short", by_instance("prospero_http_requests_in_flight")),
    ],
    "Texts": [
        Panel("First token", "s", p50_p95("prospero_text_time_to_first_token_seconds")),
        Panel("Each token", "s", p50_p95("prospero_text_time_per_token_seconds")),
        Panel(
            "Tokens",
            "short",
            {
                "{{model}} drawn": rate("prospero_text_engine_tokens_total", "model"),
                "{{model}} sent": rate("prospero_text_generated_tokens_total", "model"),
                "{{model}} read": rate("prospero_text_prompt_tokens_total", "model"),
            },
        ),
        Panel("Ends", "reqps", rate_by("reason", "prospero_text_finished_total")),
        Panel("Texts of a step", "short", p50_p95("prospero_text_batch_size")),
        Panel("A step", "s", p50_p95("prospero_text_step_seconds")),
    ],
    "Images": [
        Panel("Images", "reqps", rate_by("model", "prospero_images_total")),
        Panel("An image, or a batch", "s", p50_p95("prospero_image_forward_seconds")),
        Panel("Images at a time", "short", p50_p95("prospero_image_batch_size")),
    ],
    "Connections": [
        Panel("Open, of what may be", "percentunit", by_instance("instance:prospero_connections:saturation")),
        Panel("Ended by the server", "cps", rate_by("reason", "prospero_connections_ended_total", S)),
        Panel("Refused before they were whole", "reqps", rate_by("status", HTTP, f'{S}, method="UNKNOWN"')),
    ],
    "Keys": [
        Panel("Requests", "reqps", rate_by("key", "prospero_key_requests_total", S)),
        Panel("Refused (429)", "reqps", rate_by("key", "prospero_key_refused_total", S)),
        Panel("Waiting", "short", {"{{key}}": f"sum by (key) (prospero_key_requests_waiting{{{M}}})"}),
        Panel("Tokens", "short", rate_by("key", "prospero_key_tokens_total", S)),
    ],
    "Processes": [
        Panel("Workers lost", "short", {"{{model}}": LOST}, True),
        Panel(
            "Memory by process",
            "bytes",
            {
                "{{model}}": f"prospero_worker_resident_memory_bytes{{{M}}}",
                "HTTP": f"process_resident_memory_bytes{{{S}}}",
            },
        ),
        Panel("Memory, of the limit", "percentunit", by_instance("instance:prospero_memory:saturation")),
        Panel("Temporary files: free", "percentunit", by_instance("instance:prospero_temporary:free_ratio")),
        Panel("CPU of HTTP", "percentunit", rate_by("instance", "process_cpu_seconds_total", S)),
        Panel("Open files of HTTP", "short", by_instance("process_open_fds")),
        Panel("Lab runs", "short", by_instance("prospero_lab_runs_active")),
        Panel("Log lines dropped", "short", rate_by("process", "prospero_log_lines_dropped_total", S)),
        Panel("Spans of traces", "short", rate_by("outcome", "prospero_trace_spans_total", S)),
    ],
}  # fmt: skip


def queries() -> list[str]:
    """Every expression of the dashboard."""
    return [query for panels in ROWS.values() for panel in panels for query in panel.queries.values()]


def build() -> str:
    """The dashboard as Grafana reads it."""
    board = dashboard.Dashboard("Prospero").uid("prospero").refresh("10s").time("now-30m", "now").editable()
    board = board.with_variable(_variable("instance", "label_values(prospero_build_info, instance)"))
    board = board.with_variable(_variable("model", "label_values(prospero_engine_ready, model)"))
    for title, panels in ROWS.items():
        board = board.with_row(dashboard.Row(title))
        for panel in panels:
            board = board.with_panel(_panel(panel, WIDTH // min(len(panels), 4)))
    return JSONEncoder(sort_keys=True, indent=1).encode(board.build()) + "\n"


def _panel(panel: Panel, span: int) -> stat.Panel | timeseries.Panel:
    built: stat.Panel | timeseries.Panel = stat.Panel() if panel.is_figure else timeseries.Panel().min(0)
    built = built.title(panel.title).unit(panel.unit).datasource(SOURCE).span(span).height(HEIGHT)
    for letter, (legend, query) in zip("ABC", panel.queries.items(), strict=False):
        built = built.with_target(prometheus.Dataquery().expr(query).legend_format(legend).ref_id(letter))
    return built


def _variable(name: str, query: str) -> dashboard.QueryVariable:
    variable = dashboard.QueryVariable(name).datasource(SOURCE).query(query)
    return (
        variable.multi(True).include_all(True).all_value(".*").refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
    )


if __name__ == "__main__":
    FILE.write_text(build())
