"""Nats per character of a text, by a client alone: ``python -m benchmarks.nats_over_http TEXT_FILE``.

A running server splits the text into tokens (`/tokenize`) and says how likely each is (`/v1/completions` with
``echo``, ``logprobs`` and ``max_tokens: 0``). Every token is scored once, the first behind a newline, in

- windows of 256 characters that see one character before them: nanoGPT's own measure;
- windows of the model's whole context. A prompt's first token has no probability, and is the last of the
  window before: a context of 1,024 scores 1,023 a window.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import httpx

CHARACTERS_IN_A_WINDOW = 256
CHARACTERS_A_REQUEST = 30_000
WINDOWS_A_REQUEST = 32
URL = "http://127.0.0.1:8000"

Window = tuple[list[int], int]  # its tokens, and how many of them are there to be seen, not to be scored


def main() -> None:
    """Command line; one line a figure."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("text", type=Path, metavar="TEXT_FILE")
    parser.add_argument(
        "--last", type=float, default=0.1, metavar="SHARE", help="of the text: what is scored"
    )
    parser.add_argument("--url", default=URL)
    parser.add_argument("--model", help="default: the server's default model")
    args = parser.parse_args()
    text = args.text.read_text(encoding="utf-8")
    text = text[int(len(text) * (1 - args.last)) :]
    with httpx.Client(base_url=args.url, timeout=600) as client:
        print(f"text: {len(text)} characters")
        print(f"windows of 256 characters: {nats_in_windows(client, text, args.model):.5f}", flush=True)
        print(f"windows of the context: {nats_in_contexts(client, text, args.model):.5f}")


def nats_in_windows(client: httpx.Client, text: str, model: str | None = None) -> float:
    """Of each character, in windows of 256 that are split into tokens by themselves."""
    return _score(client, _windows(client, text, model), model) / len(text)


def nats_in_contexts(client: httpx.Client, text: str, model: str | None = None) -> float:
    """Of each character, in windows of the model's context, each beginning with the last one's end."""
    newline, context = _tokenize(client, "\n", model)
    tokens = [token for part in _cut("\n" + text) for token in _tokenize(client, part, model)[0]]
    first = len(newline) - 1
    step = context - 1
    windows = ((tokens[at : at + context], 1) for at in range(first, len(tokens) - 1, step))
    return _score(client, windows, model) / len(text)


def _windows(client: httpx.Client, text: str, model: str | None) -> Iterator[Window]:
    for start in range(0, len(text), CHARACTERS_IN_A_WINDOW):
        seen, context = _tokenize(client, text[start - 1] if start else "\n", model)
        tokens, _ = _tokenize(client, text[start : start + CHARACTERS_IN_A_WINDOW], model)
        if len(seen) + len(tokens) > context:
            sys.exit(
                f"error: {CHARACTERS_IN_A_WINDOW} characters are more than this model's {context} tokens"
            )
        yield seen + tokens, len(seen)


def _cut(text: str) -> Iterator[str]:
    """Parts that a request may hold, cut before ends of lines: no token crosses these."""
    start = 0
    while start < len(text):
        end = start + CHARACTERS_A_REQUEST
        if end < len(text):
            lines = text[start : text.rfind("\n", start, end) + 1].rstrip("\n")
            end = start + len(lines) if lines else end
        yield text[start:end]
        start = end


def _tokenize(client: httpx.Client, text: str, model: str | None) -> tuple[list[int], int]:
    """The ids, and how many the model sees at once."""
    answer = client.post("/tokenize", json={"prompt": text, "model": model}).raise_for_status().json()
    return answer["tokens"], answer["max_model_len"]


def _score(client: httpx.Client, windows: Iterable[Window], model: str | None) -> float:
    """The negative log-likelihood of all that is to be scored, in nats."""
    total, left = 0.0, iter(windows)
    while some := list(islice(left, WINDOWS_A_REQUEST)):
        body = {"prompt": [tokens for tokens, _ in some], "max_tokens": 0, "echo": True, "logprobs": 0}
        answer = client.post("/v1/completions", json={**body, "model": model}).raise_for_status().json()
        for choice, (_, num_seen) in zip(answer["choices"], some, strict=True):
            total -= sum(choice["logprobs"]["token_logprobs"][num_seen:])
    return total


if __name__ == "__main__":
    main()
