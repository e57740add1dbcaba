"""``python -m tests.live.fake_server FOLDER``: the real server around fake engines, set up by PROSPERO_*."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from service.__main__ import serve
from service.server import build_server
from service.settings import read_settings
from tests.live.fakes import FakeLoaders, fake_catalog

if __name__ == "__main__":
    settings = read_settings()
    step = float(os.environ.get("FAKE_STEP_SECONDS", "0.003"))
    image = float(os.environ.get("FAKE_IMAGE_SECONDS", "0.01"))
    catalog = fake_catalog(Path(sys.argv[1]))
    loaders = FakeLoaders(step, image)
    sys.exit(serve(settings, lambda lifecycle: build_server(settings, catalog, "cpu", lifecycle, loaders)))
