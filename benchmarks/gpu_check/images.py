"""Part 4: landscapes and label maps on the card: pictures a second, and how far they are from float32's."""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.gpu_check import card
from benchmarks.gpu_check.captures import timed_captures
from benchmarks.gpu_check.part import Part
from models.checkpoint import load_weights, read_config
from models.landscape.config import LandscapeConfig
from models.landscape.engine import LandscapeEngine, LandscapeRequest
from models.landscape.generator import Generator
from models.landscape.palette import NUM_CLASSES
from models.segmenter.engine import SegmenterEngine

LANDSCAPE, SEGMENTER = Path("checkpoints/landscape"), Path("checkpoints/segmenter")


def some_requests(size: int, count: int) -> list[LandscapeRequest]:
    """Bands of classes, as sketches have them."""
    chance = np.random.default_rng(0)
    requests = []
    for seed in range(count):
        bands = chance.integers(NUM_CLASSES, size=8, dtype=np.uint8).repeat(size // 8)
        requests.append(LandscapeRequest(np.repeat(bands[:, None], size, 1), seed))
    return requests


def rates(engine: Any, items: list[Any], batches: list[int], seconds: float) -> list[dict[str, float]]:
    found = []
    for batch in batches:
        engine.forward(items[:batch])
        count, times = 0, []
        began = time.perf_counter()
        while time.perf_counter() - began < seconds:
            one = time.perf_counter()
            engine.forward(items[:batch])
            times.append(time.perf_counter() - one)
            count += batch
        per_second = count / (time.perf_counter() - began)
        found.append({"batch": batch, "per_second": per_second, "p50_ms": 1e3 * float(np.median(times))})
        print(found[-1], flush=True)
    return found


def main() -> int:
    part = Part()
    tiny = part.is_tiny
    batches, seconds = ([1, 2], 0.01) if tiny else ([1, 8, 16, 64], 1.0)
    engines: dict[str, Any] = {}

    def load() -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, kind, checkpoint in (
            ("landscape", LandscapeEngine, LANDSCAPE),
            ("segmenter", SegmenterEngine, SEGMENTER),
        ):
            began = time.perf_counter()
            with timed_captures() as captures:
                engines[name] = kind.load(checkpoint, part.device)
            found[name] = {"seconds": time.perf_counter() - began, **captures.get("batch", {})}
        return found

    if part.section("load", load) is None:
        return 1
    requests = some_requests(engines["landscape"].image_size, batches[-1])
    photos = [
        np.random.default_rng(seed).integers(256, size=(256, 256, 3), dtype=np.uint8)
        for seed in range(batches[-1])
    ]
    part.section("landscape", lambda: rates(engines["landscape"], requests, batches, seconds))
    part.section("segmenter", lambda: rates(engines["segmenter"], photos, batches, seconds))
    for name, engine in engines.items():
        part.section(f"device_{name}", partial(device, part, engine))
    part.section("draws", lambda: draws(engines["landscape"], requests, seconds))
    part.section("distance", lambda: distance(engines["landscape"], requests[: 2 if tiny else 16]))
    part.section("float32", lambda: float32(part, requests, [batches[0], batches[-1]], seconds))
    return part.exit_status()


def device(part: Part, engine: LandscapeEngine | SegmenterEngine) -> list[dict[str, float]]:
    """The device's part alone, each captured size replayed; nothing where nothing is captured."""
    batches, found = engine.batches, []
    if batches is None:
        return []
    for size in batches.sizes:
        with torch.cuda.stream(batches.stream), torch.inference_mode():
            seconds = card.seconds_of(partial(batches.replays.run, size), 20, part.device)
        found.append({"batch": size, "ms": 1e3 * seconds, "per_second": size / seconds})
    return found


def draws(engine: LandscapeEngine, requests: list[LandscapeRequest], seconds: float) -> dict[str, float]:
    """The host's part alone: styles, tints and noise of one picture, in one thread."""
    inputs = [np.zeros(shape, np.float32) for shape in engine.input_shapes()]
    count, began = 0, time.perf_counter()
    while time.perf_counter() - began < seconds:
        engine.fill(requests[0], inputs)
        count += 1
    return {"ms_per_picture": 1e3 * (time.perf_counter() - began) / count}


def distance(engine: LandscapeEngine, requests: list[LandscapeRequest]) -> dict[str, float]:
    """Levels of 255 between the card's pictures and the CPU's in float32."""
    reference = LandscapeEngine.load(LANDSCAPE, "cpu", torch.float32).forward(requests)
    ours = engine.forward(requests)
    apart = np.abs(np.stack(reference).astype(int) - np.stack(ours))
    return {"mean": float(apart.mean()), "p999": float(np.quantile(apart, 0.999)), "max": float(apart.max())}


@torch.inference_mode()
def float32(
    part: Part, requests: list[LandscapeRequest], batches: list[int], seconds: float
) -> list[dict[str, float]]:
    """The generator as it was on a GPU: float32, operator by operator, pictures read back as bytes."""
    generator = Generator(read_config(LANDSCAPE, LandscapeConfig))
    load_weights(LANDSCAPE, generator)
    generator = generator.to(part.device).eval()

    class Plain:
        def forward(self, items: list[LandscapeRequest]) -> Any:
            labels = torch.from_numpy(np.stack([one.label_map for one in items]).astype(np.int64)).to(
                part.device
            )
            looks = generator.styles[: len(items)]
            shapes = generator.config.noise_shapes(*labels.shape[1:])
            noise = [torch.randn(len(items), *shape, device=part.device) for shape in shapes]
            pictures = generator(labels, looks, noise)
            return (
                ((pictures + 1) * 127.5)
                .round()
                .clamp(0, 255)
                .to(torch.uint8)
                .permute(0, 2, 3, 1)
                .cpu()
                .numpy()
            )

    return rates(Plain(), requests, batches, seconds)


if __name__ == "__main__":
    sys.exit(main())
