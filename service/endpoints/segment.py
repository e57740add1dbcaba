"""``POST /segment``: a photo in, its label map out, in the palette's colours: a sketch to start from."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response

from models.landscape.palette import rgb_array
from service.endpoints.landscape import image_entry, shares
from service.http.image_body import MEDIA_TYPES, read_picture, wants
from service.http.request_guard import RequestGuard, finals, timeout_of
from service.images.codec import encode, read_photo
from service.metrics import Metrics
from service.schemas.images import SegmentParameters
from service.settings import Settings
from service.workers.client import WorkerClient
from service.workers.messages import Picture, SegmentWork

FIELD = "photo"
MAX_SIDE = 1024  # pixels; the model's square is far smaller, and a queue of larger photos would fill memory


class SegmentEndpoint:
    """The same body forms and errors as the landscape endpoint."""

    def __init__(
        self,
        settings: Settings,
        find: Callable[[str | None], WorkerClient],
        metrics: Metrics,
        threads: Executor,
    ) -> None:
        self._settings = settings
        self._find = find
        self._metrics = metrics
        self._threads = threads

    async def post(self, request: Request) -> Response:
        data, parameters = await read_picture(request, FIELD, SegmentParameters)
        image_format = wants(request.headers.get("accept", ""), parameters.format, 1)
        engine = self._find(parameters.model)
        engine.check_admission()
        loop = asyncio.get_running_loop()
        photo = await loop.run_in_executor(self._threads, _read, data)
        job = engine.submit([SegmentWork(photo.tobytes(), photo.shape[0], photo.shape[1])])
        timeout = timeout_of(parameters.timeout, self._settings.request_timeout_seconds)
        with RequestGuard(request.receive, job, timeout):
            (event,) = await finals(job)
        assert isinstance(event, Picture)
        request.state.log_fields |= {"images": 1, **job.times()}
        label_map = np.frombuffer(event.pixels, np.uint8).reshape(event.height, event.width)
        pixels = rgb_array()[label_map]
        encoded_as = image_format or parameters.format or "png"
        encoded = await loop.run_in_executor(self._threads, encode, pixels, encoded_as)
        self._metrics.images.labels(engine.name).inc()
        if image_format is not None:
            return Response(encoded, media_type=MEDIA_TYPES[image_format])
        body = {
            "id": request.state.request_id,
            "model": engine.name,
            "classes": shares(label_map),
            "image": image_entry(0, None, encoded_as, pixels, encoded),
        }
        return Response(json.dumps(body), media_type="application/json")


def _read(data: bytes) -> NDArray[np.uint8]:
    """``(H, W, 3)``, neither side above `MAX_SIDE`."""
    photo = read_photo(data, FIELD)
    factor = -(-max(photo.shape) // MAX_SIDE)
    return photo if factor == 1 else np.asarray(Image.fromarray(photo).reduce(factor))
