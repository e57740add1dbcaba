"""``POST /segment``: a photo in, its label map out, in the palette's colours: a sketch to start from."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from models.landscape.palette import rgb_array
from service.endpoints.context import EndpointContext, line_of
from service.endpoints.image_answer import image_entry, shares
from service.endpoints.photo_reader import PhotoReader
from service.http.accept import negotiate_format
from service.http.image_body import read_image_body
from service.http.openapi import COMMON_ERRORS, errors, picture_answer, picture_body
from service.http.request_guard import RequestGuard, finals, timeout_of
from service.http.request_log import record_of
from service.images.codec import MAX_PHOTO_RATIO, encode
from service.images.formats import MEDIA_TYPES
from service.request_trace import phase
from service.schemas.images import SegmentParameters, SegmentResponse
from service.workers.messages import Picture, SegmentWork

FIELD = "photo"
MAX_SIDE = 1024  # pixels; the model's map is far smaller, and a queue of larger photos would fill memory

DOCUMENTATION: dict[str, Any] = {
    "summary": "Turn a photo into a sketch",
    "description": (
        f"The sketch has the photo's aspect ratio, from 1:{MAX_PHOTO_RATIO} to {MAX_PHOTO_RATIO}:1; its "
        "longer side is the model's `map_size` (`GET /models`), in pixels: at least 256."
    ),
    "responses": picture_answer(SegmentResponse, {}) | errors(400, 406) | COMMON_ERRORS,
    "openapi_extra": picture_body(FIELD, SegmentParameters),
}


class SegmentEndpoint:
    """The same body forms and errors as the landscape endpoint."""

    def __init__(self, context: EndpointContext) -> None:
        self._context = context
        self._photos = PhotoReader(context, FIELD, MAX_SIDE)

    async def post(self, request: Request) -> Response:
        data, parameters = await read_image_body(request, FIELD, SegmentParameters)
        image_format = negotiate_format(request.headers.get("accept", ""), parameters.format, 1)
        client = self._context.find_for(request, parameters.model).client
        client.check_admission(line=line_of(request))
        record = record_of(request)
        with phase(record.trace, "decode image"):
            photo = await self._photos.read(data)
        work = SegmentWork(photo.tobytes(), photo.shape[0], photo.shape[1])
        timeout = timeout_of(parameters.timeout, self._context.settings.request_timeout_seconds)
        submit = partial(client.submit, [work], line=line_of(request))
        with RequestGuard(request.receive, submit, timeout) as job:
            if record.trace is not None:
                record.trace.follow(job, client.name)
            (event,) = await finals(job)
        assert isinstance(event, Picture)
        record.images = 1
        record.queue_s, record.engine_s = job.times()
        label_map = np.frombuffer(event.pixels, np.uint8).reshape(event.height, event.width)
        pixels = rgb_array()[label_map]
        encoded_as = image_format or parameters.format or "png"
        with phase(record.trace, "encode image"):
            encoded = await self._context.in_thread(encode, pixels, encoded_as)
        self._context.metrics.images.sent.labels(client.name).inc()
        if image_format is not None:
            return Response(encoded, media_type=MEDIA_TYPES[image_format])
        body = {
            "id": record.id,
            "model": client.name,
            "classes": shares(label_map),
            "image": image_entry(0, None, encoded_as, pixels, encoded),
        }
        return Response(json.dumps(body), media_type="application/json")
