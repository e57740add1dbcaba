"""Turn a sketch into a landscape: a PNG, JPEG or WebP file, as the name of the output ends.

prospero paint sketch.png -o landscape.png --seed 3 --class-seed sky=11"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from client.arguments import class_seed, text
from client.connection import add_server, connect
from client.errors import ClientError
from client.files import check_folder, write_file

FORMATS = {".png": "png", ".jpg": "jpeg", ".jpeg": "jpeg", ".webp": "webp"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("sketch", type=Path, help="drawn in the palette's colours")
    parser.add_argument(
        "-o", "--output", type=Path, required=True, help="*.png, *.jpg or *.webp; -: PNG to stdout"
    )
    parser.add_argument("--seed", type=int, metavar="N", help="the same seed, the same landscape")
    parser.add_argument(
        "--class-seed", type=class_seed, action="append", default=[], metavar="NAME=N", help="of one class"
    )
    parser.add_argument(
        "--outlines", choices=("natural", "drawn"), help="drawn: kept to the pixel (default: natural)"
    )
    parser.add_argument("--metadata", action="store_true", help="have a PNG carry sketch and seeds")
    parser.add_argument("--model", type=text, help="a name from `prospero models`")
    add_server(parser)


async def run(args: argparse.Namespace) -> None:
    is_stdout = str(args.output) == "-"
    encoded_as = "png" if is_stdout else FORMATS.get(args.output.suffix.lower())
    if encoded_as is None:
        raise ClientError(f"{args.output}: its name must end in {', '.join(FORMATS)}")
    if is_stdout and sys.stdout.isatty():
        raise ClientError("a picture is nothing for a terminal: -o FILE, or a pipe")
    check_folder(args.output)
    form = {"format": encoded_as, "metadata": json.dumps(args.metadata)}
    if args.seed is not None:
        form["seed"] = str(args.seed)
    if args.class_seed:
        form["class_seeds"] = json.dumps(dict(args.class_seed))
    if args.outlines:
        form["outlines"] = args.outlines
    if args.model:
        form["model"] = args.model
    files = {"sketch": (args.sketch.name, args.sketch.read_bytes())}
    async with connect(args) as connection:
        answer = await connection.ask("POST", "/generate/landscape", data=form, files=files)
    if is_stdout:
        sys.stdout.buffer.write(answer.content)
        return
    write_file(args.output, answer.content)
    print(f"{args.output} (seed {answer.headers.get('X-Seed', 'unknown')})", file=sys.stderr)
