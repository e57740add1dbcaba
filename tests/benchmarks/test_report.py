"""The tables, from made-up measurements whose ratios are known."""

from __future__ import annotations

import itertools
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from benchmarks.compare import plots, report
from benchmarks.compare.__main__ import attempt
from benchmarks.compare.report_same_weights import ratio, same_weights
from benchmarks.compare.same_weights import SHAPES, loads_of
from benchmarks.compare.statistics import percentile, spread
from benchmarks.compare.tables import best_peer, comparison, number, with_spread
from benchmarks.compare.targets import targets

RATES = {"Prospero": 4000.0, "quick": 1000.0, "slow": 500.0}


def cell(name: str, clients: int, stream: bool, key: int, rate: float, errors: int = 0) -> dict[str, Any]:
    times = {f"{what}_p{percent}": 5.0 for what in ("first", "gap", "whole") for percent in (50, 99)}
    found = {"name": name, "clients": clients, "stream": stream, "round": key, "errors": errors}
    return (
        found
        | times
        | {"characters_per_second": rate, "load_cpu": 0.1, "error": "status 500" if errors else None}
    )


def results() -> dict[str, Any]:
    many = itertools.product(RATES.items(), (1, 64), (False, True), (0, 1))
    cells = [
        cell(name, clients, stream, key, rate * (0.9, 1.1)[key])
        for (name, rate), clients, stream, key in many
    ]
    step = {"delivered": 900.0, "asked_for": 1000.0, "first_p50": 20.0, "load_cpu": 0.1, "errors": 0}
    steps = [
        {
            "name": name,
            "offered": rate / 100 * share,
            "first_p99": 400.0 * share,
            "holds": share < 2.5,
            **step,
        }
        for name, rate in RATES.items()
        for share in (1, 2, 3)
    ]
    picture = {
        "whole_p50": 250.0,
        "whole_p99": 300.0,
        "whole_mean": 256.0,
        "forward_mean": 246.0,
        "errors": 0,
    }
    pictures = [{"clients": count, "images_per_second": 4.0, "round": 0, **picture} for count in (1, 4, 16)]
    length = {"characters_per_second": 900.0, "first_p50": 4.0, "whole_p50": 90.0}
    return {
        "machine": {"CPU": "a CPU"},
        "is_quick": False,
        "failed": {},
        "minutes": 3.2,
        "names": [*RATES, "absent"],
        "missing": {"absent": "needs cmake"},
        "commands": dict.fromkeys(RATES, "serve"),
        "versions": dict.fromkeys(RATES, "1.0"),
        "step_seconds": 9.0,
        "cells": cells,
        "steps": steps,
        "engine_rates": [5000.0, 5000.0],
        "landscape": {
            "size": 128,
            "cells": pictures,
            "peers": {
                "SPADE 128": {"float32": [1.1, 1.0], "bfloat16": [2.0]},
                "SPADE 256": {"float32": [4.0]},
            },
        },
        "lengths": {"prompts": [{"prompt": 16, **length}], "answers": [{"answer": 16, **length}]},
        "slots": [{"slots": 1, "idle_megabytes": 900.0, "used_megabytes": 950.0, "start_seconds": 5.0}],
        "start": {"cold": [9.0], "warm": [5.0, 6.0, 5.5]},
        "together": [{"alone": 900.0, "beside": 600.0, "images_per_second": 3.0, "ratio": 1.5}],
    }


def test_the_targets_say_what_was_reached() -> None:
    found = {target.what: target for target in targets(results())}
    assert found["characters/s at c=64, ours ÷ best peer"].value == pytest.approx(4)
    assert found["characters/s at c=64, ours ÷ best peer"].verdict() == "must"
    assert found["characters/s at c=1, ours ÷ best peer"].verdict() == "goal"
    assert found["time to first token p50 at c=1"].verdict() == "goal"
    assert found["sustained rate in B, ours ÷ best peer"].value == pytest.approx(4)
    assert found["HTTP ÷ engine's own rate, c=64, not streamed"].verdict() == "**missed**"
    assert found["HTTP ÷ engine's own rate, c=64, streamed"].verdict() == "must"
    spade = next(target for what, target in found.items() if "SPADE" in what)
    assert spade.value == pytest.approx(4 * 1.05)  # at the shipped size, in the faster form
    assert found["decode + encode + HTTP per image"].value == pytest.approx(10)


def test_the_page_has_every_section_and_says_what_is_missing() -> None:
    page = report.render(results())
    for title in (
        "Targets",
        "workload A",
        "workload B",
        "What HTTP costs",
        "Landscape",
        "Cost as work grows",
    ):
        assert title in page
    assert "| absent | could not be run: needs cmake |" in page
    assert "| Prospero | 4,000 ±10% | 4,000 ±10% |" in page
    assert "| **ours ÷ best peer** | **4.00** (quick) | **4.00** (quick) |" in page
    assert "nan" not in page.replace("nanoGPT", "")
    for line in page.splitlines():
        assert not line.startswith("|") or line.endswith("|")


def test_what_was_not_measured_is_left_out() -> None:
    found = results()
    for key in ("cells", "lengths", "start", "together"):
        del found[key]
    found["failed"] = {"text": "AssertionError: not ready"}
    page = report.render(found)
    assert "**Not measured, text: AssertionError: not ready**" in page
    assert "Landscape" in page
    assert "workload" not in page


def test_without_peers_there_are_no_ratios() -> None:
    found = results()
    found["cells"] = [one for one in found["cells"] if one["name"] == "Prospero"]
    found["steps"] = [one for one in found["steps"] if one["name"] == "Prospero"]
    verdicts = {target.what: target.verdict() for target in targets(found)}
    assert verdicts["characters/s at c=64, ours ÷ best peer"] == "not measured"
    assert verdicts["sustained rate in B, ours ÷ best peer"] == "not measured"


def test_cells_with_errors_count_for_nothing() -> None:
    cells = [cell("Prospero", 1, False, 0, 10.0), cell("quick", 1, False, 0, 99.0, errors=1)]
    name, value = best_peer(cells, "characters_per_second", "Prospero", clients=1)
    assert name == "–"
    assert math.isnan(value)
    text = comparison(cells, "characters_per_second", ["Prospero", "quick"], [1], {}, stream=False)
    assert "99" not in text
    assert "| quick | – |" in text


def test_numbers() -> None:
    assert [number(one) for one in (12345.6, 99.94, 0.01234, math.nan)] == ["12,346", "99.9", "0.0123", "–"]
    assert with_spread([90.0, 100.0, 110.0]) == "100 ±10%"
    assert spread([1.0, 2.0, 4.0]) == 1.5
    assert [percentile(range(1, 101), one) for one in (1, 50, 99)] == [1, 50, 99]
    assert percentile([7.0], 99) == 7


def test_a_section_that_fails_leaves_the_others_alone(capsys: pytest.CaptureFixture[str]) -> None:
    found: dict[str, Any] = {"failed": {}}

    def fail() -> None:
        raise AssertionError("not ready\nand more")

    attempt("text", fail, found)
    attempt("landscape", lambda: found.update(landscape=1), found)
    assert found == {"failed": {"text": "AssertionError: not ready"}, "landscape": 1}
    assert "Traceback" in capsys.readouterr().err


def test_plots(tmp_path: Path) -> None:
    plots.draw(results(), tmp_path / "plots")
    for name in ("concurrency", "lengths", "slots"):
        assert 5_000 < (tmp_path / "plots" / f"{name}.png").stat().st_size < 100_000


def test_the_same_model_is_held_against_the_best_peer_of_its_width() -> None:
    """Rates and waits alike; a peer that was lost is left out and named; without any there is no ratio."""
    shape, answers, first = SHAPES[0], loads_of(SHAPES[0])[0], loads_of(SHAPES[0])[-2]
    rates = {"Prospero auto": 600.0, "llama.cpp f16": 300.0, "vLLM bfloat16": 400.0, "Prospero int8": 700.0}
    cells = [
        {"shape": shape.name, "name": name, "round": 0, **asdict(load)}
        | {"tokens_per_second": rate, "whole_p50": 6000.0 / rate, "errors": 0}
        for name, rate in rates.items()
        for load in (answers, first)
    ]
    for load in (answers, first):
        assert ratio(cells, shape, "auto", load) == pytest.approx(1.5)
        assert math.isnan(ratio(cells, shape, "int8", load))
    page = same_weights(cells, {f"llama.cpp q8_0 {shape.name}": "ended with -11"})
    assert "| llama.cpp q8_0 (ended with -11) | – |" in page
    assert "| vLLM bfloat16 | 400 |" in page
