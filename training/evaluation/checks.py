"""What is asked of the scores: what must hold, what is hoped for, and whether they do."""

from __future__ import annotations

from dataclasses import dataclass

from training.eval_segmenter.engine import MIN_MEAN_IOU, MIN_PIXEL_ACCURACY
from training.evaluation.bootstrap import Interval
from training.evaluation.edges import SIDES
from training.evaluation.measure import Result
from training.evaluation.metrics import HIGHER_IS_BETTER, over
from training.evaluation.single import MAIN_PHOTOS

MIN_CONTRAST = (
    10.0  # a distance counts only if flat colours and one picture for all are so far over the floor
)
NO_RANK = {
    "nearest_training",
    "edges",
    *(f"edges_{side}" for side in SIDES),
}  # neither more nor less of it is better


@dataclass(frozen=True)
class Check:
    """One score with its limits; ``is_least``: it should be at least these, otherwise at most."""

    name: str
    value: float
    must: float
    goal: float | None
    is_least: bool
    interval: Interval | None = None

    @property
    def mark(self) -> str:
        """ "goal", "must" or "missed": the best that the score reaches."""
        if self.goal is not None and self._reaches(self.goal):
            return "goal"
        return "must" if self._reaches(self.must) else "missed"

    def _reaches(self, limit: float) -> bool:
        return self.value >= limit if self.is_least else self.value <= limit


def check(result: Result) -> list[Check]:
    """Every check that the result allows."""
    table, real, drawn = result.table, result.table["real"], result.drawn["all"]
    share = over(table["paintings"]["mean_iou"], real["mean_iou"])
    checks = [
        Check("judge: pixel accuracy", result.judge["pixel_accuracy"], MIN_PIXEL_ACCURACY, None, True),
        Check("judge: mean IoU", result.judge["mean_iou"], MIN_MEAN_IOU, None, True),
    ]
    for baseline in ("class_mean", "collapsed"):
        contrast = over(table[baseline]["frechet_judge"], real["frechet_judge"])
        checks.append(Check(f"frechet_judge: {baseline} over real", contrast, MIN_CONTRAST, None, True))
    single = result.single[MAIN_PHOTOS]
    for name, must, goal in (("frechet_lite2", 2.0, 1.4), ("frechet_lite2_near", 3.0, 1.8)):
        times = single.ratios["paintings"][name]
        checks.append(Check(f"{name} over real", times, must, goal, False, single.intervals[name]))
    edges = {name: table["paintings"][name] for name in table["paintings"] if name.startswith("edges")}
    lowest, highest = min(edges, key=lambda name: edges[name]), max(edges, key=lambda name: edges[name])
    checks.append(Check("edges, lowest", edges[lowest], 0.75, 0.9, True, result.intervals[lowest]))
    checks.append(Check("edges, highest", edges[highest], 1.3, 1.1, False, result.intervals[highest]))
    checks.append(
        Check(
            "mean IoU over real photos'", share, 0.85, 1.0, True, _scale(result, "mean_iou", real["mean_iou"])
        )
    )
    for name, must, goal, is_least in (
        ("frechet_lite2", 1.3, 1.1, False),
        ("mean_iou", 0.85, 0.95, True),
    ):
        over_clean, around = drawn[f"{name}_ratio"], drawn[f"{name}_ratio_interval"]
        assert isinstance(over_clean, float)
        assert isinstance(around, tuple)
        checks.append(Check(f"drawn-like: {name} over clean", over_clean, must, goal, is_least, around))
    own = table["paintings"]["diversity"]
    checks.append(Check("diversity over seeds", own, 0.5, 0.8, True, result.intervals["diversity"]))
    checks.append(Check("bands below a level line, of 255", result.bands, 16.0, 8.0, False))
    return checks


def worse_than(result: Result, other: str) -> list[str]:
    """Metrics in which the paintings are no better than another column."""
    ours, theirs = result.table["paintings"], result.table[other]
    return [
        name
        for name in ours
        if name not in NO_RANK
        and not (ours[name] > theirs[name] if name in HIGHER_IS_BETTER else ours[name] < theirs[name])
    ]


def _scale(result: Result, name: str, unit: float) -> Interval:
    low, high = result.intervals[name]
    return over(low, unit), over(high, unit)
