"""LitServe as shipped, batching: ``python -m benchmarks.peers.litserve_server MODEL PORT [stream]``.

Around a plain sampling loop over the same model. A LitServe server either streams every answer or none.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from litserve import LitAPI, LitServer

from benchmarks.peers.generation import MAX_BATCH, Model, Wish, event


class TextAPI(LitAPI):
    """Generates a batch at a time. Unannotated: LitServe reads annotations."""

    def setup(self, device):  # type: ignore[no-untyped-def]
        self.model = Model(Path(sys.argv[1]))

    def decode_request(self, request):  # type: ignore[no-untyped-def]
        return Wish.read(request)

    def batch(self, inputs):  # type: ignore[no-untyped-def]
        return list(inputs)

    def unbatch(self, output):  # type: ignore[no-untyped-def]
        return output


class WholeAPI(TextAPI):
    """Answers when the longest of the batch is done."""

    def predict(self, wishes: list[Wish]) -> list[str]:
        columns = zip(*self.model.steps(wishes), strict=True)
        return ["".join(one)[: wish.num_characters] for one, wish in zip(columns, wishes, strict=True)]

    def encode_response(self, output):  # type: ignore[no-untyped-def]
        return {"text": output}


class StreamAPI(TextAPI):
    """An event a character."""

    def predict(self, wishes: list[Wish]) -> Iterator[list[str]]:
        for number, characters in enumerate(self.model.steps(wishes)):
            pairs = zip(characters, wishes, strict=True)
            yield [one if number < wish.num_characters else "" for one, wish in pairs]

    def unbatch(self, output):  # type: ignore[no-untyped-def]
        yield from output

    def encode_response(self, output_stream: Any) -> Iterator[list[str]]:
        for characters in output_stream:
            yield [event(one) if one else "" for one in characters]


def main() -> None:
    is_stream = sys.argv[3:] == ["stream"]
    kind = StreamAPI if is_stream else WholeAPI
    api = kind(max_batch_size=MAX_BATCH, batch_timeout=0.01, stream=is_stream, api_path="/generate")
    server = LitServer(api, accelerator="cpu", timeout=False)
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[2]),
        num_api_servers=1,
        log_level="warning",
        generate_client_file=False,
        access_log=False,
    )


if __name__ == "__main__":
    main()
