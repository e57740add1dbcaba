"""How far generated samples are from real ones: divergences, exact Wasserstein distance, coverage.

A distance between two samples is never 0, not even of one distribution: only its ratio to the floor, what
real samples score against real ones, means anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment
from scipy.spatial import cKDTree
from scipy.spatial.distance import cdist

from models.lab.config import VIEW

Points = NDArray[np.float64]  # (N, 2)

NUM_CELLS = 30  # of the histograms, each way
PSEUDO_COUNT = 0.5
NUM_SPREADS = 3.0  # a sample within so many standard deviations of the curve or centre is on target
HIT_SHARE = 0.25  # of the samples that real data would put there make a bin hit


@dataclass(frozen=True)
class Measures:
    """Of generated against real samples, or of real against real.

    Attributes:
        kl: KL(real ‖ generated), nats, by histogram.
        js: Jensen–Shannon divergence, nats (at most ln 2), by histogram.
        wasserstein: exact W1 between equally large samples, in the plane's units.
        on_target: share of samples within 3 standard deviations of the curve or of a centre.
        bins_hit: bins with at least a quarter of the on-target samples that real data put there.
    """

    kl: float
    js: float
    wasserstein: float
    on_target: float
    bins_hit: int


def divergences(real: Points, generated: Points) -> tuple[float, float]:
    """(KL(real ‖ generated), JS) in nats, on 30 × 30 cells over the view; what lies outside joins the border.

    KL adds half a count to every cell (Krichevsky & Trofimov 1981), without which one cell that only real
    samples fall into would make it infinite. JS needs no such thing.
    """
    p, q = _histogram(real), _histogram(generated)
    smooth_p = (p + PSEUDO_COUNT) / (p + PSEUDO_COUNT).sum()
    smooth_q = (q + PSEUDO_COUNT) / (q + PSEUDO_COUNT).sum()
    p, q = p / p.sum(), q / q.sum()
    middle = (p + q) / 2
    return _kl(smooth_p, smooth_q), (_kl(p, middle) + _kl(q, middle)) / 2


def wasserstein(first: Points, second: Points) -> float:
    """Exact W1 (the earth mover's distance, Euclidean cost) between two samples of one size.

    Between equally weighted samples of one size an optimal plan is a permutation, so that the optimal
    assignment is the distance itself and no bound on it; Peyré & Cuturi 2019, arXiv:1803.00567, prop. 2.1.
    """
    costs = cdist(first, second)
    rows, columns = linear_sum_assignment(costs)
    return float(costs[rows, columns].mean())


class Coverage:
    """Which samples are on target, and which bins they hit.

    Args:
        skeleton: (M, 2) points of the curve or the centres; ``bins``: (M,) the bin of each.
        spread: standard deviation of real samples around them.
        real: (N, 2) samples that tell how many each bin should get.
    """

    def __init__(self, skeleton: Points, bins: NDArray[np.int64], spread: float, real: Points) -> None:
        self._tree = cKDTree(skeleton)
        self._bins = bins
        self._reach = NUM_SPREADS * spread
        self.num_bins = int(bins.max()) + 1
        self._expected = self._counts(real) / len(real)

    def measure(self, samples: Points) -> tuple[float, int]:
        """(share on target, bins hit) of samples (N, 2)."""
        counts = self._counts(samples)
        needed = np.maximum(HIT_SHARE * self._expected * len(samples), 1)
        return float(counts.sum() / len(samples)), int((counts >= needed).sum())

    def _counts(self, samples: Points) -> NDArray[np.int64]:
        distance, nearest = self._tree.query(samples)
        on_target = np.asarray(nearest)[np.asarray(distance) <= self._reach]
        return np.bincount(self._bins[on_target], minlength=self.num_bins)


def _histogram(samples: Points) -> NDArray[np.float64]:
    cells = np.floor((samples + VIEW) * (NUM_CELLS / (2 * VIEW)))
    cells = np.clip(cells, 0, NUM_CELLS - 1).astype(np.int64)
    return np.bincount(cells[:, 1] * NUM_CELLS + cells[:, 0], minlength=NUM_CELLS**2).astype(np.float64)


def _kl(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    there = p > 0
    return float((p[there] * np.log(p[there] / q[there])).sum())
