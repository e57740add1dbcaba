"""Makes a pack fit to travel: smaller files, in parts that go one after the other.

    python -m training.photos.repack photos.pack --out FOLDER [--quality 85] [--parts 2]

Each part has its share of every kind of photo. Discriminators see what compression leaves of photos less than
they did (``training/landscape/augment.py``), and still the less is lost, the better.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from training.arguments import positive
from training.photos.errors import DataError
from training.photos.pack import QUALITY, read_packs, write_pack


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("packs", type=Path, nargs="+", metavar="PACK")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER")
    parser.add_argument("--quality", type=positive, default=QUALITY, help="of WebP, at most 100")
    parser.add_argument("--parts", type=positive, default=1)
    args = parser.parse_args(argv)
    if args.quality > 100:
        parser.error(f"--quality {args.quality}: at most 100")
    try:
        data = read_packs(args.packs)
    except DataError as error:
        raise SystemExit(f"error: {error}") from None
    args.out.mkdir(parents=True, exist_ok=True)
    for part in range(args.parts):
        path = args.out / f"photos-{part}.pack"
        chosen = data.where(np.arange(len(data)) % args.parts == part)
        write_pack(chosen, path, args.quality)
        print(f"{path}: {len(chosen)} photos, {path.stat().st_size / 2**20:.1f} MiB")


if __name__ == "__main__":
    main()
