"""``POST /generate/landscape``: a colour sketch in, landscape photos out."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request
from starlette.responses import Response

from models.landscape.palette import CLASS_NAMES
from service.catalog import Entry
from service.endpoints.context import EndpointContext, line_of
from service.endpoints.image_answer import image_entry, shares
from service.errors import ApiError
from service.http.accept import negotiate_format
from service.http.image_body import read_image_body
from service.http.openapi import COMMON_ERRORS, errors, picture_answer, picture_body
from service.http.request_guard import RequestGuard, finals, timeout_of
from service.http.request_log import RequestRecord, record_of
from service.images.codec import MAX_SKETCH_RATIO, Reading, encode, read_sketch
from service.images.formats import MEDIA_TYPES, ImageFormat
from service.images.origin import Origin
from service.images.sketch import Sketch
from service.request_trace import phase
from service.schemas.fields import first_seed
from service.schemas.images import LandscapeParameters, LandscapeResponse
from service.workers.client import WorkerClient
from service.workers.messages import LandscapeWork, Picture

FIELD = "sketch"

DOCUMENTATION: dict[str, Any] = {
    "summary": "Turn a sketch into landscapes",
    "description": (
        f"A landscape has its sketch's aspect ratio, from 1:{MAX_SKETCH_RATIO} to {MAX_SKETCH_RATIO}:1; its "
        "longer side is the model's `image_size` (`GET /models`), in pixels. A square sketch gives a square."
    ),
    "responses": picture_answer(
        LandscapeResponse,
        {"X-Seed": "The seed.", "X-Unmatched-Fraction": "Share of pixels that matched no palette colour."},
    )
    | errors(400, 406)
    | COMMON_ERRORS,
    "openapi_extra": picture_body(FIELD, LandscapeParameters),
}


class LandscapeEndpoint:
    """Reads and snaps the sketch, submits a call per image, encodes the answers; pixels only in threads."""

    def __init__(self, context: EndpointContext) -> None:
        self._context = context

    async def post(self, request: Request) -> Response:
        data, parameters = await read_image_body(request, FIELD, LandscapeParameters)
        image_format = negotiate_format(request.headers.get("accept", ""), parameters.format, parameters.n)
        encoded_as: ImageFormat = image_format or parameters.format or "png"
        if parameters.metadata and encoded_as != "png":
            raise ApiError(422, f"only a PNG carries metadata; {encoded_as} was asked for", "metadata")
        model = self._context.find_for(request, parameters.model)
        class_seeds = _class_seeds(parameters, model.entry)
        model.client.check_admission(parameters.n, "n", line_of(request))
        reading = Reading(parameters.labels, parameters.palette, parameters.background == "ignore")
        trace = record_of(request).trace
        with phase(trace, "decode image"):
            sketch = await self._context.in_thread(read_sketch, data, model.entry.image_size, FIELD, reading)
        seed = first_seed(parameters.seed, parameters.n)
        label_map, (height, width) = sketch.label_map.tobytes(), sketch.label_map.shape
        seeds = range(seed, seed + parameters.n)
        is_natural = parameters.outlines == "natural"
        works = [LandscapeWork(label_map, height, width, one, class_seeds, is_natural) for one in seeds]
        pictures = await self._paint(request, model.client, works, parameters.timeout)
        made_of = Origin(sketch, model.entry.name, parameters.class_seeds or {}, parameters.outlines)
        origin = made_of if parameters.metadata else None
        with phase(trace, "encode image"):
            encoded = [
                await self._context.in_thread(_encode, pixels, encoded_as, origin, one)
                for pixels, one in zip(pictures, seeds, strict=True)
            ]
        self._context.metrics.images.sent.labels(model.client.name).inc(len(pictures))
        if image_format is not None:
            headers = {"X-Seed": str(seed), "X-Unmatched-Fraction": f"{sketch.unmatched_fraction:.4f}"}
            return Response(encoded[0], headers=headers, media_type=MEDIA_TYPES[image_format])
        entries = [
            image_entry(index, seed + index, encoded_as, pixels, data)
            for index, (pixels, data) in enumerate(zip(pictures, encoded, strict=True))
        ]
        return _json_answer(record_of(request), model.client.name, sketch, entries)

    async def _paint(
        self, request: Request, client: WorkerClient, works: list[LandscapeWork], wanted: float | None
    ) -> list[NDArray[np.uint8]]:
        seconds = timeout_of(wanted, self._context.settings.request_timeout_seconds)
        record = record_of(request)
        submit = partial(client.submit, works, line=line_of(request))
        with RequestGuard(request.receive, submit, seconds) as job:
            if record.trace is not None:
                record.trace.follow(job, client.name)
            pictures = [_pixels(event) for event in await finals(job)]
        record.images = len(pictures)
        record.queue_s, record.engine_s = job.times()
        return pictures


def _class_seeds(parameters: LandscapeParameters, entry: Entry) -> dict[int, int]:
    """Seeds by class id. Raises ApiError 422 for an unknown class, or a model that has no such seeds."""
    if parameters.class_seeds is None:
        return {}
    if not entry.has_class_seeds:
        raise ApiError(422, f"the model {entry.name!r} has no seeds for single classes", "class_seeds")
    for name in parameters.class_seeds:
        if name not in CLASS_NAMES:
            raise ApiError(422, f"unknown class {name!r}; see /palette", "class_seeds")
    return {CLASS_NAMES.index(name): seed for name, seed in parameters.class_seeds.items()}


def _encode(pixels: NDArray[np.uint8], encoded_as: ImageFormat, origin: Origin | None, seed: int) -> bytes:
    return encode(pixels, encoded_as, origin.text(seed) if origin else None)


def _pixels(event: object) -> NDArray[np.uint8]:
    assert isinstance(event, Picture)
    return np.frombuffer(event.pixels, np.uint8).reshape(event.height, event.width, event.channels)


def _json_answer(
    record: RequestRecord, model: str, sketch: Sketch, entries: list[dict[str, Any]]
) -> Response:
    body = {
        "id": record.id,
        "model": model,
        "unmatched_fraction": round(sketch.unmatched_fraction, 6),
        "classes": shares(sketch.label_map),
        "images": entries,
    }
    return Response(json.dumps(body), media_type="application/json")
