"""``POST /generate/landscape``: a colour sketch in, landscape photos out."""

from __future__ import annotations

import asyncio
import base64
import json
import secrets
from collections.abc import Callable
from concurrent.futures import Executor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from models.landscape.palette import CLASS_NAMES, PALETTE
from service.errors import ApiError
from service.http.image_body import MEDIA_TYPES, read_picture, wants
from service.http.request_guard import RequestGuard, finals, timeout_of
from service.images.codec import encode, read_sketch
from service.metrics import Metrics
from service.schemas.images import ImageFormat, LandscapeParameters
from service.settings import Settings
from service.workers.client import WorkerClient
from service.workers.messages import LandscapeWork, Picture

FIELD = "sketch"


class LandscapeEndpoint:
    """Reads and snaps the sketch, submits a call per image, encodes the answers; pixels only in threads."""

    def __init__(
        self,
        settings: Settings,
        find: Callable[[str | None], WorkerClient],
        metrics: Metrics,
        threads: Executor,
        image_sizes: dict[str, int],
        seedable: frozenset[str],
    ) -> None:
        self._settings = settings
        self._find = find
        self._metrics = metrics
        self._threads = threads
        self._image_sizes = image_sizes
        self._seedable = seedable  # the models that take class_seeds

    async def post(self, request: Request) -> Response:
        data, parameters = await read_picture(request, FIELD, LandscapeParameters)
        image_format = wants(request.headers.get("accept", ""), parameters.format, parameters.n)
        engine = self._find(parameters.model)
        class_seeds = self._class_seeds(parameters, engine)
        engine.check_admission(parameters.n)
        size = self._image_sizes[engine.name]
        loop = asyncio.get_running_loop()
        sketch = await loop.run_in_executor(self._threads, read_sketch, data, size, FIELD)
        seed = secrets.randbits(52) if parameters.seed is None else parameters.seed
        label_map = sketch.label_map.tobytes()
        works = [LandscapeWork(label_map, size, seed + index, class_seeds) for index in range(parameters.n)]
        job = engine.submit(works)
        timeout = timeout_of(parameters.timeout, self._settings.request_timeout_seconds)
        with RequestGuard(request.receive, job, timeout):
            pictures = [_pixels(event) for event in await finals(job)]
        request.state.log_fields |= {"images": len(pictures), **job.times()}
        encoded_as: ImageFormat = image_format or parameters.format or "png"
        encoded = [await loop.run_in_executor(self._threads, encode, one, encoded_as) for one in pictures]
        self._metrics.images.labels(engine.name).inc(len(pictures))
        if image_format is not None:
            headers = {"X-Seed": str(seed), "X-Unmatched-Fraction": f"{sketch.unmatched_fraction:.4f}"}
            return Response(encoded[0], headers=headers, media_type=MEDIA_TYPES[image_format])
        body = {
            "id": request.state.request_id,
            "model": engine.name,
            "unmatched_fraction": round(sketch.unmatched_fraction, 6),
            "classes": shares(sketch.label_map),
            "images": [
                image_entry(index, seed + index, encoded_as, pixels, data)
                for index, (pixels, data) in enumerate(zip(pictures, encoded, strict=True))
            ],
        }
        return Response(json.dumps(body), media_type="application/json")

    def _class_seeds(self, parameters: LandscapeParameters, engine: WorkerClient) -> dict[int, int]:
        if parameters.class_seeds is None:
            return {}
        if engine.name not in self._seedable:
            raise ApiError(422, f"the model {engine.name!r} has no seeds for single classes", "class_seeds")
        for name in parameters.class_seeds:
            if name not in CLASS_NAMES:
                raise ApiError(422, f"unknown class {name!r}; see /palette", "class_seeds")
        return {CLASS_NAMES.index(name): seed for name, seed in parameters.class_seeds.items()}


def shares(label_map: NDArray[np.uint8]) -> dict[str, float]:
    """Each class's share of the pixels, largest first; classes that don't occur are left out."""
    counts = np.bincount(label_map.reshape(-1), minlength=len(PALETTE))[: len(PALETTE)]
    order = sorted(range(len(PALETTE)), key=lambda index: -int(counts[index]))
    return {PALETTE[i].name: round(int(counts[i]) / label_map.size, 6) for i in order if counts[i]}


def image_entry(
    index: int, seed: int | None, encoded_as: ImageFormat, pixels: NDArray[np.uint8], data: bytes
) -> dict[str, Any]:
    """One image of a JSON answer; ``pixels`` is ``(H, W, 3)``."""
    height, width = pixels.shape[:2]
    entry = {"index": index, "seed": seed, "format": encoded_as, "width": width, "height": height}
    return entry | {"base64": base64.b64encode(data).decode()}


def _pixels(event: object) -> NDArray[np.uint8]:
    assert isinstance(event, Picture)
    return np.frombuffer(event.pixels, np.uint8).reshape(event.height, event.width, event.channels)
