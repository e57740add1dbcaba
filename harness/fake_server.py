"""``python -m harness.fake_server FOLDER``: the real server around fake engines, set up by PROSPERO_*.

FAKE_KINDS (comma-separated) leaves engines out, FAKE_STEP_SECONDS and FAKE_IMAGE_SECONDS set their pace.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path


def main() -> int:
    """Serve until a signal."""
    # Here and not above: workers import this module too, and shall start quickly.
    from harness.fakes import FakeLoaders, fake_catalog
    from service.run import serve
    from service.server import build_server
    from service.settings import read_settings

    settings = read_settings()
    step = float(os.environ.get("FAKE_STEP_SECONDS", "0.003"))
    image = float(os.environ.get("FAKE_IMAGE_SECONDS", "0.01"))
    kinds = os.environ.get("FAKE_KINDS", "gpt,landscape,segmenter").split(",")
    catalog = [entry for entry in fake_catalog(Path(sys.argv[1])) if entry.kind in kinds]
    loaders = FakeLoaders(step, image)
    return serve(settings, lambda lifecycle: build_server(settings, catalog, "cpu", lifecycle, loaders))


if __name__ == "__main__":
    sys.exit(main())
