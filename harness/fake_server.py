"""``python -m harness.fake_server FOLDER``: the real server around fake engines, set up by PROSPERO_*.

FAKE_KINDS (comma-separated) leaves engines out; FAKE_MORE names text models to serve as well, of folders in
FOLDER, from where others can be loaded; FAKE_STEP_SECONDS and FAKE_IMAGE_SECONDS set their pace.
"""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path


def main() -> int:
    """Serve until a signal."""
    # Here and not above: workers import this module too, and shall start quickly.
    from harness.fakes import FakeLoaders, fake_catalog, fake_text
    from service.lifecycle import Lifecycle
    from service.run import serve
    from service.server import Server, build_server
    from service.settings import read_settings

    settings = read_settings()
    step = float(os.environ.get("FAKE_STEP_SECONDS", "0.003"))
    image = float(os.environ.get("FAKE_IMAGE_SECONDS", "0.01"))
    kinds = os.environ.get("FAKE_KINDS", "gpt,landscape,segmenter").split(",")
    catalog = [entry for entry in fake_catalog(Path(sys.argv[1])) if entry.kind in kinds]
    find = partial(fake_text, Path(sys.argv[1]))
    catalog += [find(name) for name in os.environ.get("FAKE_MORE", "").split(",") if name]
    loaders = FakeLoaders(step, image)

    def build(lifecycle: Lifecycle) -> Server:
        return build_server(settings, catalog, "cpu", lifecycle, loaders, find=find)

    return serve(settings, build)


if __name__ == "__main__":
    sys.exit(main())
