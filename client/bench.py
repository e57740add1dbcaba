"""Measure a server's speed: clients that ask again once they are answered, or with --rate an open loop, whose
requests arrive whether or not earlier ones are answered. Refusals count as failures; nothing is asked twice.

  prospero bench http://127.0.0.1:8000 --requests 200 --concurrency 16
  prospero bench --rate 20 --route /v1/completions --json report.json
  prospero bench --sketch sketch.png --concurrency 4"""

from __future__ import annotations

import argparse
import json
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from client.arguments import count, rate, text
from client.connection import DEFAULT_URL, KEY_VARIABLE, Connection
from client.errors import ClientError
from client.events import read_events
from client.files import check_folder
from client.load import Sample, closed_loop, open_loop
from client.report import Report, make_report

ROUTES = ("/generate/text", "/v1/completions", "/v1/chat/completions")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    server = parser.add_mutually_exclusive_group()
    server.add_argument("url", type=text, nargs="?", default=argparse.SUPPRESS, help="of the server")
    server.add_argument("--url", type=text, default=DEFAULT_URL, help=f"the same (default: {DEFAULT_URL})")
    parser.add_argument("--requests", type=count, default=100, metavar="N", help="in all (default: 100)")
    loop = parser.add_mutually_exclusive_group()
    loop.add_argument("--concurrency", type=count, default=8, metavar="N", help="clients (default: 8)")
    loop.add_argument("--rate", type=rate, metavar="R", help="open loop: arrivals a second, on average")
    parser.add_argument("--route", choices=ROUTES, default=ROUTES[0], help=f"of texts (default: {ROUTES[0]})")
    parser.add_argument("--prompt", type=text, default="ROMEO:", help="default: ROMEO:")
    parser.add_argument(
        "--max-tokens", type=count, default=64, metavar="N", help="of each text (default: 64)"
    )
    parser.add_argument("--model", type=text, help="a name from `prospero models`")
    parser.add_argument("--sketch", type=Path, metavar="FILE", help="measure landscapes of it instead")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the figures as JSON, too; -: only that"
    )


async def run(args: argparse.Namespace) -> int:
    if args.json:
        check_folder(args.json)  # before all is measured
    async with Connection(args.url, 0, os.environ.get(KEY_VARIABLE)) as connection:
        await connection.fetch("GET", "/health/live")  # nobody there: say so, and not for each request
        ask = partial(_ask_picture if args.sketch else _ask_text, connection, _request(args))
        cpu_began = time.process_time()
        with tqdm(total=args.requests, unit="request", disable=None) as bar:
            if args.rate:
                samples = await open_loop(ask, args.requests, args.rate, bar.update)
            else:
                samples = await closed_loop(ask, args.requests, args.concurrency, bar.update)
        report = make_report(samples, time.process_time() - cpu_began, "images" if args.sketch else "tokens")
    _show(args, report)
    return 0 if report.succeeded else 1


def _request(args: argparse.Namespace) -> tuple[str, dict[str, Any]]:
    """The path, and what `_ask_text` or `_ask_picture` sends there."""
    model = {"model": args.model} if args.model else {}
    if args.sketch:
        sketch = (args.sketch.name, args.sketch.read_bytes())
        return "/generate/landscape", {"data": model, "files": {"sketch": sketch}}
    body = {"max_tokens": args.max_tokens, "ignore_eos": True, "stream": True, **model}
    if args.route.startswith("/v1/"):
        body["stream_options"] = {"include_usage": True}
    if args.route == "/v1/chat/completions":
        return args.route, {**body, "messages": [{"role": "user", "content": args.prompt}]}
    return args.route, {**body, "prompt": args.prompt}


async def _ask_text(
    connection: Connection, request: tuple[str, dict[str, Any]], index: int, sample: Sample
) -> None:
    path, body = request
    try:
        async with connection.stream(path, {**body, "seed": index}) as chunks:
            async for event in read_events(chunks):
                if sample.first_at is None and any(map(_text_of, event.get("choices", ()))):
                    sample.first_at = time.perf_counter()
                sample.amount = (event.get("usage") or {}).get("completion_tokens", sample.amount)
    except ClientError as error:
        sample.error = str(error)


def _text_of(choice: dict[str, Any]) -> str:
    text: str = choice.get("text") or (choice.get("delta") or {}).get("content") or ""
    return text


async def _ask_picture(
    connection: Connection, request: tuple[str, dict[str, Any]], index: int, sample: Sample
) -> None:
    path, content = request
    data = {**content["data"], "seed": str(index)}
    try:
        await connection.ask("POST", path, data=data, files=content["files"])
        sample.amount = 1
    except ClientError as error:
        sample.error = str(error)


def _show(args: argparse.Namespace, report: Report) -> None:
    asked = {
        "url": args.url,
        "route": "/generate/landscape" if args.sketch else args.route,
        "requests": args.requests,
        **({"rate": args.rate} if args.rate else {"concurrency": args.concurrency}),
        **({} if args.sketch else {"prompt": args.prompt, "max_tokens": args.max_tokens}),
    }
    document = json.dumps({"asked": asked, **report.figures()}, indent=2)
    if str(args.json) == "-":
        print(document)
        return
    print(report)
    if args.json:
        args.json.write_text(document + "\n", encoding="utf-8")
