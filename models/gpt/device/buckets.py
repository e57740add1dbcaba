"""The sizes that steps come in: a captured graph has one size, so every step takes the next larger one."""

from __future__ import annotations

SMALLEST_SPAN = 128
# Prompts, and tokens of each: at most 4,096, so that running rows never wait long. Of 1,024 texts of 80
# tokens each, 80 end in a burst of eight steps: as many have to begin in the next one.
PROMPT_SHAPES = ((1, 32), (8, 32), (64, 32), (128, 32), (1, 128), (16, 128))


def row_buckets(max_slots: int) -> list[int]:
    """Rows of a decoding step: powers of two, and all slots."""
    return [*_doubling(1, max_slots), max_slots]


def span_buckets(context: int) -> list[int]:
    """Cached positions that a step looks at: powers of two, and the whole window."""
    return [*_doubling(SMALLEST_SPAN, context), context]


def prompt_spans(spans: list[int]) -> list[int]:
    """Those of `spans` that parts of prompts come in: few, for each takes a library a while to get ready."""
    return sorted({spans[0], spans[-1]})


def smallest(buckets: list[int], needed: int) -> int:
    """The first bucket that holds `needed`; `buckets` ascend."""
    return next(bucket for bucket in buckets if bucket >= needed)


def prompt_length(pending: int) -> tuple[int, int]:
    """Tokens to take of each prompt when the first has so many `pending`, and for how many prompts."""
    lengths = sorted({length for _, length in PROMPT_SHAPES})
    length = next((length for length in lengths if length >= pending), lengths[-1])
    return length, max(count for count, own in PROMPT_SHAPES if own == length)


def prompt_shape(count: int, length: int) -> tuple[int, int]:
    """The smallest shape that holds so many prompts of at most so many tokens."""
    fitting = [shape for shape in PROMPT_SHAPES if shape[0] >= count and shape[1] >= length]
    return min(fitting, key=lambda shape: shape[0] * shape[1])


def _doubling(first: int, end: int) -> list[int]:
    sizes = []
    while first < end:
        sizes.append(first)
        first *= 2
    return sizes
