"""Random numbers for many rows at once, each from its own request's seed and nothing else.

SplitMix64 (Steele, Lea and Flood 2014) read as a counter-based generator: the n-th number of a stream is a
mix of its key and n, so that a draw depends on no state and no neighbour, and numbers can be had ahead. In
NumPy, because a device would take a kernel for each of its dozen operations, at every step.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_MASK = 2**64 - 1
_GAMMA, _FIRST, _SECOND = 0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
BITS = 52  # one less than fit: the largest number times any sum of chances rounds to less than that sum


def key_of(seed: int) -> int:
    """A stream's key, of 64 bits: the seed mixed twice, so that neighbouring seeds' streams lie far apart."""
    return _mix(_mix(seed & _MASK) + _GAMMA & _MASK)


def uniform(keys: NDArray[np.uint64], counters: NDArray[np.uint64]) -> NDArray[np.float64]:
    """Numbers in [0, 1): the `counters`-th of the streams `keys`; both are broadcast."""
    z = counters * np.uint64(_GAMMA) + keys
    z = (z ^ (z >> np.uint64(30))) * np.uint64(_FIRST)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(_SECOND)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(64 - BITS)).astype(np.float64) * 2.0**-BITS


def _mix(z: int) -> int:
    z = (z ^ z >> 30) * _FIRST & _MASK
    z = (z ^ z >> 27) * _SECOND & _MASK
    return z ^ z >> 31
