"""``python -m tests.live.mirror_server``: the real server with a fourth kind of model: it mirrors texts."""

from msgspec.msgpack import Decoder
from starlette.requests import Request
from starlette.responses import Response

from models.checkpoint import CheckpointConfig
from service.catalog import read_catalog
from service.endpoints.context import EndpointContext
from service.http.request_guard import RequestGuard, finals
from service.kinds import KINDS, Kind, Route, configs_of, image_metrics
from service.run import serve
from service.server import build_server
from service.settings import read_settings
from service.workers.batching import Batcher, DynamicBatcher
from service.workers.messages import Picture


def load(device: str) -> Batcher:
    """The engine mirrors each text of its batch, and answers with a picture of one row of bytes."""
    return DynamicBatcher(
        forward=lambda texts: [text[::-1].encode() for text in texts],
        decode=Decoder(str).decode,
        answer=lambda key, data: Picture(key, data, 1, len(data), 1),
        max_batch=8,
        wait=0.0,
        description={"device": device},
        warmup_seconds=0.0,
    )


class MirrorEndpoint:
    def __init__(self, context: EndpointContext) -> None:
        self._context = context

    async def post(self, request: Request) -> Response:
        client, text = self._context.find(None).client, (await request.body()).decode()
        with RequestGuard(request.receive, lambda: client.submit([text]), seconds=10.0) as job:
            (event,) = await finals(job)
        return Response(event.pixels if isinstance(event, Picture) else None)


MIRROR = Kind(
    config=CheckpointConfig,
    loader=lambda *_: load,
    routes={"/mirror": Route(MirrorEndpoint, {"summary": "Mirror a text"})},
    default_setting=None,
    max_queue=lambda _: 4,
    metrics=image_metrics,
)

if __name__ == "__main__":
    kinds, settings = {**KINDS, "mirror": MIRROR}, read_settings()
    catalog = read_catalog(settings.checkpoints, configs_of(kinds))
    serve(settings, lambda life: build_server(settings, catalog, "cpu", life, kinds=kinds))
