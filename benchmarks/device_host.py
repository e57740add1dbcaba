"""What the host does for each token where a device draws: microseconds, counted on a processor.

    python -m benchmarks.device_host [--slots 1024] [--rounds 12]

The text engine as it runs on a GPU, in the closed loop of benchmarks/text_engine.py, around a device that
does nothing but hand out ids of a text's tokens. The time is what this one thread had of its core: turns of
other processes don't count, though what they do to its caches does. Texts "that go on" neither begin nor end.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Hashable
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.text_engine import NUM_CHARACTERS, PASSAGE, make_requests, run_closed_loop
from models.checkpoint import read_config
from models.gpt.config import GPTConfig
from models.gpt.device.decoder import DeviceDecoder
from models.gpt.engine import TextEngine
from models.gpt.network import GPT
from models.gpt.tokenizer import read_tokenizer
from service.garbage import freeze_gc

CHECKPOINT = Path("checkpoints/gpt-shakespeare")


def pretend(engine: TextEngine) -> None:
    """From now on its device computes nothing, and draws what a text might have."""
    assert isinstance(engine.source, DeviceDecoder)
    launcher = engine.source.launcher
    tokens = launcher.passes.tokens
    passage = torch.tensor(engine.tokenizer.encode(PASSAGE))
    chance = torch.Generator().manual_seed(0)
    drawn = [passage[torch.randint(len(passage), tokens.shape, generator=chance)] for _ in range(64)]
    turns = 0

    def run(key: Hashable) -> None:
        nonlocal turns
        if isinstance(key, tuple) and key[0] in ("draw", "first"):
            turns += 1
            tokens.copy_(drawn[turns % len(drawn)])

    launcher.replays.run = run  # type: ignore[method-assign]


def running(engine: TextEngine, num_steps: int) -> float:
    """Microseconds for each token of texts that neither begin nor end meanwhile."""
    endless = [replace(one, max_tokens=10**6, max_characters=10**6) for one in make_requests()]
    for key in range(engine.max_slots):
        engine.admit(key, endless[key % len(endless)])
    while sum(event.num_tokens > 0 for event in engine.step()) < engine.max_slots:
        pass
    began, num_tokens = time.thread_time(), 0
    for _ in range(num_steps):
        num_tokens += sum(event.num_tokens for event in engine.step())
    seconds = time.thread_time() - began
    for key in range(engine.max_slots):
        engine.drop(key)
    return 1e6 * seconds / num_tokens


def least(measure: Callable[[], float], rounds: int) -> str:
    """The least and the median of so many."""
    found = sorted(measure() for _ in range(rounds))
    return f"{found[0]:.2f} µs a token at least, {found[rounds // 2]:.2f} in the middle"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slots", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=12)
    args = parser.parse_args()
    torch.set_num_threads(1)
    config = read_config(CHECKPOINT, GPTConfig)
    # Run for the trial at start alone, and so it may be small.
    small = config.model_copy(update={"num_layers": 1, "hidden_size": 64, "heads": 4, "kv_heads": 2})
    engine = TextEngine(
        GPT(small), read_tokenizer(CHECKPOINT, config.vocabulary), args.slots, draws_on_device=True
    )
    pretend(engine)
    freeze_gc()  # as a worker does
    print(f"{args.slots} slots, texts that go on: {least(lambda: running(engine, 20), args.rounds)}")
    loop = least(lambda: 1e6 / run_closed_loop(engine, args.slots, 0.5, time.thread_time).tokens, args.rounds)
    print(f"{args.slots} slots, texts of {NUM_CHARACTERS} characters that begin and end: {loop}")


if __name__ == "__main__":
    main()
