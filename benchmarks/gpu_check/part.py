"""What every part has: its arguments, and results that are on disk as soon as they are known."""

from __future__ import annotations

import argparse
import json
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any


class Part:
    """One part's results. A section that fails leaves its traceback in their place, and the next one runs."""

    def __init__(self) -> None:
        parser = argparse.ArgumentParser()
        parser.add_argument("--out", type=Path, required=True)
        parser.add_argument("--device", default="cuda")
        parser.add_argument("--tiny", action="store_true")
        self._args = parser.parse_args()
        self.folder: Path = self._args.out.parent
        self.device: str = self._args.device
        self.is_tiny: bool = self._args.tiny
        self.results: dict[str, Any] = {}
        self._failed = False

    def section(self, name: str, work: Callable[[], Any]) -> Any:
        """Run `work` and note what it returns; None if it fails."""
        began = time.perf_counter()
        found = None
        try:
            found = self.results[name] = work()
        except Exception:
            self._failed = True
            self.results[name] = {"error": traceback.format_exc()[-6000:]}
            traceback.print_exc()
        print(f"{name}: {time.perf_counter() - began:.1f} s", flush=True)
        self.results.setdefault("section_seconds", {})[name] = round(time.perf_counter() - began, 2)
        self._args.out.write_text(json.dumps(self.results, indent=1))
        return found

    def exit_status(self) -> int:
        return 1 if self._failed else 0
