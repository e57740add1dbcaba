"""By eye: are these photos? Pictures of sketches among as many photos, for people who don't know which.

    python -m training.evaluation.by_eye checkpoints/landscape --data siftflow/ --photos kaggle/ --out FOLDER
    python -m training.evaluation.by_eye --count FOLDER

Each viewer sees every sketch once, painted for a seed of their own, and writes what they take for a photo (P)
and what for generated (G) into ``answers.txt`` beside their sheets, as in ``1P 2G 3G``. Photos are held-out
ones. Sketches are PNG files in the palette's colours: ours are drawn with care (``sketches/careful``: framed
as photos are, changed once or twice after a look at what became of them) or in haste (``sketches/hasty``:
ovals, ribbons and rectangles).
"""

from __future__ import annotations

import argparse
import json
import random
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from models.checkpoint import CheckpointError
from models.landscape.engine import LandscapeEngine, LandscapeRequest
from models.landscape.label_maps import fill_holes
from training.arguments import positive
from training.errors import TrainingError
from training.evaluation.painter import Enlarged, Painter
from training.evaluation.references import load_references
from training.photos.errors import DataError
from training.photos.own_maps import PALETTE_IDS, read_map

SKETCHES = Path(__file__).parent / "sketches"
SIDE = 256  # of sketches and pictures
SHOWN = 128  # of a picture on a sheet
GAP = 14  # between pictures, and above each for its number
COLUMNS, ROWS = 6, 4
PHOTO = "photo"  # in a key; a sketch has its name
KEY, ANSWERS = "key.json", "answers.txt"

Pictures = NDArray[np.uint8]  # (M, S, S, 3)


def read_sketches(folder: Path) -> dict[str, NDArray[np.uint8]]:
    """Read every sketch in ``folder``, all of them squares: (SIDE, SIDE) palette ids, by name.

    Raises:
        DataError: there is none, or one can't be read.
    """
    paths = sorted(folder.glob("*.png"))
    if not paths:
        raise DataError(f"{folder}: holds no sketch (PNG)")
    return {path.stem: _read_sketch(path) for path in paths}


def _read_sketch(path: Path) -> NDArray[np.uint8]:
    try:
        return fill_holes(read_map(path, PALETTE_IDS, SIDE, photo_size=(SIDE, SIDE)))
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def write_sheets(
    painter: Painter,
    sketches: Mapping[str, NDArray[np.uint8]],
    photos: Sequence[Pictures],
    out: Path,
    viewers: int,
) -> None:
    """Write each viewer's sheets and their key into a folder of their own.

    Args:
        photos: of one collection or more, each of which has its equal part.

    Raises:
        DataError: a collection has too few.
    """
    chance = random.Random(0)
    part = -(-viewers * len(sketches) // len(photos))
    if min(map(len, photos)) < part:
        raise DataError(f"{part} held-out photos of each collection are needed, not {min(map(len, photos))}")
    chosen = [photo for one in photos for photo in one[chance.sample(range(len(one)), part)]]
    chance.shuffle(chosen)
    for viewer in range(1, viewers + 1):
        seeds = [chance.randrange(2**31) for _ in sketches]
        requests = [
            LandscapeRequest(labels, seed, natural_outlines=True)
            for labels, seed in zip(sketches.values(), seeds, strict=True)
        ]
        shown = [*zip(sketches, painter.forward(requests), strict=True)]
        shown += [(PHOTO, chosen.pop()) for _ in sketches]
        chance.shuffle(shown)
        folder = out / f"viewer-{viewer}"
        folder.mkdir(parents=True, exist_ok=True)
        for first in range(0, len(shown), ROWS * COLUMNS):
            pictures = [picture for _, picture in shown[first : first + ROWS * COLUMNS]]
            number = first // (ROWS * COLUMNS) + 1
            _lay_out(pictures, first + 1).save(folder / f"sheet-{number}.png")
        (folder / KEY).write_text(json.dumps([name for name, _ in shown]))


def _lay_out(pictures: Sequence[NDArray[np.uint8]], number: int) -> Image.Image:
    """A sheet of ``pictures``, numbered from ``number`` on."""
    step = SHOWN + GAP
    sheet = Image.new("RGB", (COLUMNS * step + GAP, ROWS * step + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for place, picture in enumerate(pictures):
        x, y = GAP + place % COLUMNS * step, GAP + place // COLUMNS * step
        sheet.paste(Image.fromarray(picture).resize((SHOWN, SHOWN), Image.Resampling.LANCZOS), (x, y))
        draw.text((x, y - GAP), str(number + place), fill="black")
    return sheet


def count_answers(folder: Path) -> str:
    """What viewers took for photos: of the pictures, by sketch, and of the photos.

    Raises:
        DataError: there are no answers, or a viewer's don't name each number once.
    """
    asked, taken = dict[str, int](), dict[str, int]()
    for path in sorted(folder.glob(f"viewer-*/{ANSWERS}")):
        key = json.loads(path.with_name(KEY).read_text())
        answers = re.findall(r"\b(\d+)\s*([PG])\b", path.read_text())
        if sorted(int(number) for number, _ in answers) != list(range(1, len(key) + 1)):
            raise DataError(f"{path}: expected P or G for each number from 1 to {len(key)}, once")
        for number, answer in answers:
            name = key[int(number) - 1]
            asked[name] = asked.get(name, 0) + 1
            taken[name] = taken.get(name, 0) + (answer == "P")
    if not asked:
        raise DataError(f"{folder}: no viewer-*/{ANSWERS}")
    photos = f"{taken.pop(PHOTO)} of {asked.pop(PHOTO)} photos"
    believed = ", ".join(f"{name} {count}" for name, count in sorted(taken.items()) if count) or "none"
    return f"called photos: {sum(taken.values())} of {sum(asked.values())} pictures ({believed}), {photos}"


def main(argv: Sequence[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("checkpoint", type=Path, nargs="?")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="the SIFT Flow folder")
    parser.add_argument("--photos", type=Path, action="append", default=[], metavar="FOLDER")
    parser.add_argument("--sketches", type=Path, default=SKETCHES / "careful", metavar="FOLDER")
    parser.add_argument("--viewers", type=positive, default=3)
    parser.add_argument("--out", type=Path, metavar="FOLDER")
    parser.add_argument("--count", type=Path, metavar="FOLDER", help="count what viewers answered")
    args = parser.parse_args(argv)
    if not args.count and None in (args.checkpoint, args.data, args.out):
        parser.error("CHECKPOINT, --data and --out are needed, or --count")
    try:
        if args.count:
            print(count_answers(args.count))
            return
        if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
            raise TrainingError(f"--out {args.out}: give a new folder; answers there would count for others")
        real = load_references(args.data, args.photos, SIDE)
        photos = [real.held_out.photos, *real.unlabelled.values()]
        engine = Enlarged(LandscapeEngine.load(args.checkpoint, "cpu"), SIDE)
        write_sheets(engine, read_sketches(args.sketches), photos, args.out, args.viewers)
    except (TrainingError, CheckpointError, ValueError) as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
