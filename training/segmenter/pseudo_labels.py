"""Labels unlabelled photos with a trained segmenter and keeps what it is sure of.

    python -m training.segmenter.pseudo_labels --photos FOLDER --segmenter CHECKPOINT --out state/labels/NAME

Writes one PNG of palette ids a kept photo (255: unsure) and ``summary.json``: how many were kept, and why the
others were not. Snow is split off mountains by brightness, as in the labelled photos.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from models.landscape.palette import NUM_CLASSES, PALETTE, UNLABELLED
from models.segmenter.engine import SegmenterEngine
from training.photos.label_maps import split_snow
from training.photos.photo_set import read_photo

# A pixel less sure than this stays unlabelled. The segmenter, trained with smoothed and mixed labels, is less
# sure than it is right: of held-out pixels 70 % are this sure, and 86 % of those are right.
MIN_CONFIDENCE = 0.5
MIN_KNOWN = 0.75  # a photo with less of it labelled is not kept
MAX_BUILT = 0.06  # a photo with more of road and building is no landscape
MAX_ONE_CLASS = 0.97  # nor is one that shows a single thing
BUILT = [entry.id for entry in PALETTE if entry.group == "built"]


def label_photo(photo: NDArray[np.uint8], probabilities: Tensor) -> tuple[NDArray[np.uint8] | None, str]:
    """Turn (NUM_CLASSES, S, S) probabilities of a photo (S, S, 3) into a map, or None and the reason."""
    sure, best = probabilities.max(dim=0)
    labels = best.byte().cpu().numpy()
    labels = np.where(sure.cpu().numpy() < MIN_CONFIDENCE, np.uint8(UNLABELLED), labels)
    shares = np.bincount(labels.ravel(), minlength=UNLABELLED + 1)[:NUM_CLASSES] / labels.size
    if shares.sum() < MIN_KNOWN:
        return None, "unsure"
    if shares[BUILT].sum() > MAX_BUILT:
        return None, "built"
    if shares.max() > MAX_ONE_CLASS:
        return None, "one class"
    return split_snow(labels, photo), "kept"


def label_folder(photos: Path, engine: SegmenterEngine, out: Path) -> dict[str, int]:
    """Label every JPEG of a folder; returns how many photos ended up how."""
    out.mkdir(parents=True, exist_ok=True)
    outcomes: Counter[str] = Counter()
    for path in tqdm(sorted(photos.glob("*.jpg")), desc=photos.name):
        photo = read_photo(path)
        small = np.asarray(Image.fromarray(photo).resize((engine.image_size, engine.image_size)))
        labels, outcome = label_photo(small, engine.probabilities(photo))
        outcomes[outcome] += 1
        place = out / f"{path.stem}.png"
        if labels is None:
            place.unlink(missing_ok=True)  # of an earlier run that was less strict
        else:
            Image.fromarray(labels).save(place)
    return dict(outcomes)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--segmenter", type=Path, required=True, help="a segmenter checkpoint")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cpu")
    args = parser.parse_args()
    outcomes = label_folder(args.photos, SegmenterEngine.load(args.segmenter, args.device), args.out)
    (args.out / "summary.json").write_text(json.dumps(outcomes, indent=2) + "\n")
    print(outcomes)


if __name__ == "__main__":
    main()
