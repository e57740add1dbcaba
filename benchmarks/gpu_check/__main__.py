"""``python -m benchmarks.gpu_check --out FOLDER``: every part in a process of its own, each with its time.

A part that fails, hangs or runs out of time costs only itself. Writes `results.json`, `RESULTS-gpu.md` and
`log.txt` into the folder after every part, so that what is done is kept if all of it is stopped.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.gpu_check.report import to_markdown

ROOT = Path(__file__).resolve().parents[2]
PARTS = {  # in the order of their worth; seconds that each may take
    "engine": 65,
    "http": 60,
    "tests": 80,
    "images": 35,
    "compiled": 60,
}


def run_part(name: str, args: argparse.Namespace, seconds: float) -> dict[str, Any]:
    """Run one part; whatever it wrote before it ended, and how it ended."""
    file, log = args.parts_folder / f"{name}.json", args.parts_folder / f"{name}.log"
    file.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        f"benchmarks.gpu_check.{name}",
        "--out",
        str(file),
        "--device",
        args.device,
    ]
    if args.tiny:
        command.append("--tiny")
    began = time.monotonic()
    with log.open("wb") as output:
        part = subprocess.Popen(
            command, cwd=ROOT, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
        try:
            ended: str = f"exit {part.wait(seconds)}"
        except subprocess.TimeoutExpired:
            ended = f"stopped after {seconds:.0f} s"
        stop(part)
    found = json.loads(file.read_text()) if file.exists() else {}
    return {"ended": ended, "took_seconds": round(time.monotonic() - began, 1), **found}


def stop(part: subprocess.Popen[bytes]) -> None:
    """End a part and everything that it started."""
    for signal_number in (15, 9):
        try:
            os.killpg(part.pid, signal_number)
        except ProcessLookupError:
            break
        time.sleep(0.5)
    part.wait()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--seconds", type=float, default=230.0, help="for all of them together")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a rehearsal: tiny sizes, and time as it takes")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    args.parts_folder = args.out / "parts"  # what a part wrote before all was killed is there
    args.parts_folder.mkdir(exist_ok=True)
    began = time.monotonic()
    results: dict[str, Any] = {}
    for name in args.parts:
        left = args.seconds - (time.monotonic() - began)
        if left < 8:
            results[name] = {"ended": "skipped: no time left"}
            continue
        results[name] = {"ended": "never: all was stopped meanwhile"}
        write(args.out, args.parts_folder, results)
        results[name] = run_part(name, args, left if args.tiny else min(left, PARTS[name]))
        print(f"{time.monotonic() - began:5.0f} s  {name}: {results[name]['ended']}", flush=True)
        write(args.out, args.parts_folder, results)
    write(args.out, args.parts_folder, results)
    print((args.out / "RESULTS-gpu.md").read_text())
    return 0 if all(part["ended"] == "exit 0" for part in results.values()) else 1


def write(out: Path, parts: Path, results: dict[str, Any]) -> None:
    (out / "results.json").write_text(json.dumps(results, indent=1))
    (out / "RESULTS-gpu.md").write_text(to_markdown(results))
    with (out / "log.txt").open("wb") as whole:
        for name in results:
            log = parts / f"{name}.log"
            if log.exists():
                whole.write(f"\n######## {name}\n".encode() + log.read_bytes()[-400_000:])


if __name__ == "__main__":
    sys.exit(main())
