"""Evaluate a landscape checkpoint as it is served: every metric beside its baselines, and a contact sheet."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from models.checkpoint import CheckpointError
from models.landscape.engine import LandscapeEngine
from models.pix2pix.painter import Pix2PixPainter
from training.arguments import pick_device, positive
from training.errors import TrainingError
from training.eval_segmenter.engine import WEIGHTS, EvalSegmenter
from training.evaluation.contact_sheet import contact_sheet
from training.evaluation.lite2 import Lite2
from training.evaluation.measure import Bench
from training.evaluation.painter import Enlarged, Natural, Painter
from training.evaluation.references import load_references
from training.evaluation.report import as_json, as_markdown
from training.files import write_atomically
from training.photos.sheet import encode, spread_rows
from training.places import check_report_folder

SIDE = 256  # of photos and paintings alike; smaller paintings are enlarged
SHEET_ROWS, SHEET_SEEDS = 24, (1, 2, 3)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this job's arguments."""
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="the SIFT Flow folder")
    parser.add_argument(
        "--photos",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="photos without labels, to hold paintings against those held out, too; may be repeated",
    )
    parser.add_argument("--eval-segmenter", "--judge", type=Path, default=WEIGHTS, metavar="FOLDER")
    parser.add_argument(
        "--outlines",
        choices=("drawn", "natural"),
        default="drawn",
        help="how maps are taken (default: drawn)",
    )
    parser.add_argument("--pix2pix", type=Path, metavar="CHECKPOINT", help="measure this baseline, too")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="report and contact sheet")
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="keep there what lite2 sees in photos")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:1 …")
    parser.add_argument("--threads", type=positive, metavar="N")


def run(args: argparse.Namespace) -> None:
    """Paint, measure, write."""
    check_report_folder(args.out, "report.json")
    device = str(pick_device(args.device, args.threads))
    try:
        engine: Painter = Enlarged(LandscapeEngine.load(args.checkpoint, device), SIDE)
        engine = Natural(engine) if args.outlines == "natural" else engine
        eval_segmenter = EvalSegmenter.load(args.eval_segmenter, device)
        others: dict[str, Painter] = {}
        if args.pix2pix:
            others["pix2pix"] = Enlarged(Pix2PixPainter.load(args.pix2pix, device), SIDE)
    except (CheckpointError, ValueError) as error:
        raise TrainingError(str(error)) from None
    references = load_references(args.data, args.photos, SIDE)
    result = Bench(eval_segmenter, Lite2(device, args.cache), references).run(engine, others)
    args.out.mkdir(parents=True, exist_ok=True)
    page = as_markdown(result, f"{args.checkpoint} ({args.outlines} outlines)")
    write_atomically(args.out / "report.md", page.encode())
    write_atomically(args.out / "report.json", (json.dumps(as_json(result), indent=2) + "\n").encode())
    sheet = contact_sheet(engine, references.mapped, spread_rows(references.mapped, SHEET_ROWS), SHEET_SEEDS)
    write_atomically(args.out / "sheet.jpg", encode(sheet))
    print(page)
