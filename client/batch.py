"""Answer a file of requests, as OpenAI's batches have them: lines of JSON with custom_id, method, url, body.

The output has a line for each of the input's, in their order: id, custom_id, response, error. A command that
was stopped, by kill -9 too, goes on when it is given again, and asks for nothing that is answered.

  prospero batch in.jsonl out.jsonl
  prospero batch in.jsonl out.jsonl --start    # on a server of its own, set up by what PROSPERO_* says

Requests that are refused are answers; the exit status is 1 if there are any. A server that is busy or away is
asked again, for as long as --wait says."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
import uuid
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tqdm import tqdm

from client.arguments import count
from client.batch_files import Answer, BatchLine, BatchOutput, read_lines
from client.connection import KEY_VARIABLE, Connection, add_server
from client.errors import AwayError, ClientError
from client.own_server import own_server

JSON = {"Accept": "application/json", "Content-Type": "application/json"}
AGAIN_SECONDS = 1.0  # between two tries to reach a server that is away


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("input", type=Path, help="a request a line")
    parser.add_argument("output", type=Path, help="an answer a line; begun anew or gone on with")
    parser.add_argument(
        "--concurrency", type=count, default=32, metavar="N", help="requests at once (default: 32)"
    )
    parser.add_argument("--start", action="store_true", help="start a server for it, and end that with it")
    add_server(parser, wait_seconds=600.0)


async def run(args: argparse.Namespace) -> int:
    if args.output.exists() and args.input.samefile(args.output):
        raise ClientError(f"{args.output}: is the input, too")
    total = sum(1 for _ in read_lines(args.input))
    lines = read_lines(args.input)
    with BatchOutput(args.output) as output:
        output.resume(lines)
        if output.num_lines < total:
            await _answer_rest(args, lines, output, total)
        print(f"{output.num_lines} answered, {output.num_failed} of them failed", file=sys.stderr)
        return 1 if output.num_failed else 0


async def _answer_rest(
    args: argparse.Namespace, lines: Iterable[BatchLine], output: BatchOutput, total: int
) -> None:
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(own_server()) if args.start else args.url
        key = os.environ.get(KEY_VARIABLE)
        connection = await stack.enter_async_context(Connection(url, args.wait, key))
        await connection.fetch("GET", "/health/live")  # a wrong address is told at once
        bar = stack.enter_context(tqdm(total=total, initial=output.num_lines, unit="request", disable=None))

        def write(answer: Answer) -> None:
            output.write(answer)
            bar.update()

        await answer_in_order(lines, Asker(connection, args.wait).answer, write, args.concurrency)


async def answer_in_order(
    lines: Iterable[BatchLine],
    ask: Callable[[BatchLine], Awaitable[Answer]],
    write: Callable[[Answer], object],
    concurrency: int,
) -> None:
    """Answers are written in the order of the lines, as soon as those before them are.

    At most ``concurrency`` are asked at once, and some four times as many lines are held: what is done
    waits for what was before it, and the rest of the file is not read meanwhile.

    Raises:
        ClientError: the first that ``ask`` raises; what was written stays.
    """
    held: asyncio.Queue[asyncio.Task[Answer] | None] = asyncio.Queue(4 * concurrency)
    turns = asyncio.Semaphore(concurrency)

    async def take_turn(line: BatchLine) -> Answer:
        async with turns:
            return await ask(line)

    async def read(group: asyncio.TaskGroup) -> None:
        for line in lines:
            await held.put(group.create_task(take_turn(line)))
        await held.put(None)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(read(group))
            while (task := await held.get()) is not None:
                write(await task)
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


class Asker:
    """Asks a server for a line's answer, again while it is away, but not for longer than ``wait_seconds``."""

    def __init__(self, connection: Connection, wait_seconds: float) -> None:
        self._connection = connection
        self._wait_seconds = wait_seconds

    async def answer(self, line: BatchLine) -> Answer:
        """Whatever the server says; raises AwayError once it was away for too long."""
        if line.fault:
            return line.answer(f"batch_req_{uuid.uuid4().hex}", None, line.fault)
        end = time.monotonic() + self._wait_seconds
        while True:
            try:
                response = await self._connection.fetch(
                    "POST", line.url, content=json.dumps(line.body), headers=JSON
                )
            except AwayError:
                if time.monotonic() > end:
                    raise
                await asyncio.sleep(AGAIN_SECONDS)
                continue
            request_id = response.headers.get("X-Request-ID") or uuid.uuid4().hex
            told: dict[str, Any] = {"status_code": response.status_code, "request_id": request_id}
            try:
                told["body"] = response.json()
            except ValueError:
                return line.answer(f"batch_req_{request_id}", None, "the answer is no JSON")
            return line.answer(f"batch_req_{request_id}", told, None)
