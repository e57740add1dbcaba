"""What a landscape carries on request, as a text in its PNG: enough to paint it again, as the page does."""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from models.version import VERSION
from service.images.sketch import Sketch

KEYWORD: Final = "Prospero"


@dataclass(frozen=True)
class Origin:
    """What the landscapes of a request were made of. ``class_seeds``: by class name."""

    sketch: Sketch
    model: str
    class_seeds: Mapping[str, int]
    outlines: str = "natural"

    def text(self, seed: int) -> tuple[str, str]:
        """The keyword, and JSON in ASCII for the landscape of this seed.

        ``labels`` are the class ids of ``height`` rows of ``width``, zlib in base64. Drawn in the palette's
        colours and sent with the same seeds and ``outlines``, they give the same landscape.
        """
        labels = self.sketch.drawn
        content = {
            "version": VERSION,
            "model": self.model,
            "seed": seed,
            "class_seeds": dict(self.class_seeds),
            "outlines": self.outlines,
            "width": labels.shape[1],
            "height": labels.shape[0],
            "labels": base64.b64encode(zlib.compress(labels.tobytes())).decode(),
        }
        return KEYWORD, json.dumps(content)
