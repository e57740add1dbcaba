"""The whole evaluation on a handful of photos, with painters whose worth is known."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from models.landscape.engine import LandscapeRequest
from models.landscape.palette import CLASS_NAMES, UNLABELLED
from tests.training.conftest import COLOURS, make_siftflow
from training.__main__ import main
from training.eval_segmenter.engine import EvalSegmenter
from training.evaluation import paintings as sets
from training.evaluation.baselines import class_means, nearest_layouts
from training.evaluation.checks import Check, check, worse_than
from training.evaluation.edges import SIDES
from training.evaluation.feature_extractor import FeatureExtractor
from training.evaluation.lens import Lens
from training.evaluation.lite2 import Lite2
from training.evaluation.measure import Bench, Result
from training.evaluation.references import References, load_references
from training.evaluation.report import as_json, as_markdown
from training.evaluation.single import MAIN_PHOTOS, SingleBench
from training.evaluation.yardstick import RATIOS
from training.photos.corruptions import CORRUPTIONS

SIZE = 32
SHADES = {0: 1, 1: 2, 2: 2, 5: 4, 9: 3}  # palette id → row of the small folder's colours


class Painter:
    """Paints like the small folder's photos, halved in size: shades that vary by seed, and grain."""

    image_size = SIZE

    def __init__(self, spread: int = 30, grain: float = 6) -> None:
        self.spread, self.grain = spread, grain

    def forward(self, requests: Sequence[LandscapeRequest]) -> list[np.ndarray]:
        return [self.paint(request) for request in requests]

    def paint(self, request: LandscapeRequest) -> np.ndarray:
        draw = np.random.default_rng(request.seed)
        table = np.full((256, 3), 128)
        for number, row in SHADES.items():
            table[number] = COLOURS[row]
        table = table + draw.integers(-self.spread, self.spread + 1, size=(256, 3))
        noise = draw.normal(0, self.grain, (*request.label_map.shape, 3))
        return np.clip(table[request.label_map] + noise, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def segmenter_and_references(tmp_path_factory: pytest.TempPathFactory) -> tuple[EvalSegmenter, References]:
    root = tmp_path_factory.mktemp("evaluation")
    small = make_siftflow(root, num_photos=130)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.photos.manifest.MANIFESTS", small.manifests)
        settings = ["image_size=32", "widths=[16,32]", "depths=[1,1]", "batch=8", "steps=60", "rate=0.004"]
        settings += ["mix_share=0", "ema=0.9", "warmup_steps=5"]
        pairs = [f"--set={setting}" for setting in settings]
        command = [
            "eval-segmenter",
            f"--data={small.folder}",
            f"--run={root / 'segmenter'}",
            "--threads=1",
            *pairs,
        ]
        assert main(command) == 0
        return EvalSegmenter.load(root / "segmenter" / "checkpoint"), load_references(small.folder, [], SIZE)


@pytest.fixture(scope="module")
def result(segmenter_and_references: tuple[EvalSegmenter, References]) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sets, "MIN_PAINTINGS", 60)
        patch.setattr("training.evaluation.bootstrap.RESAMPLINGS", 2)
        # A dozen held-out photos fix no more.
        patch.setattr("training.evaluation.feature_extractor.SEGMENTER_FEATURES", 4)
        patch.setattr("training.evaluation.lens.DIRECTIONS", 4)
        patch.setattr("training.evaluation.lite2.INPUT", 64)
        segmenter, references = segmenter_and_references
        bench = Bench(segmenter, Lite2(), references)
        return bench.run(Painter(), {"pix2pix": Painter(spread=0, grain=1)})


def test_a_good_painter_is_near_the_floor_and_baselines_are_far(result: Result) -> None:
    table = result.table
    for name in (
        "frechet_judge",
        "frechet_lite2",
        "sliced_wasserstein",
        "class_colours",
    ):
        assert table["paintings"][name] < 0.8 * table["class_mean"][name], name
        assert table["paintings"][name] < 0.55 * table["collapsed"][name], name
    assert table["collapsed"]["diversity"] == table["class_mean"]["diversity"] == 0
    assert table["paintings"]["diversity"] > 0.5
    assert table["retrieval"]["nearest_training"] == pytest.approx(0, abs=1e-6)
    assert table["collapsed"]["recall"] < table["paintings"]["recall"]
    assert table["collapsed"]["mean_iou"] < table["paintings"]["mean_iou"]


def test_counts_intervals_and_twins(result: Result) -> None:
    counts = result.counts
    assert counts["paintings"] == counts["maps"] * counts["seeds_per_map"] >= 60
    assert counts["seeds_per_map"] % len(CORRUPTIONS) == 0
    assert counts["compared"] <= counts["training_photos"]
    for name, (low, high) in result.intervals.items():
        assert low <= high, name
        assert low - 1e-9 <= result.table["paintings"][name] <= high + 1e-9 or name == "recall", name
    assert set(result.drawn) == {*CORRUPTIONS, "all"}
    for scores in result.drawn.values():
        assert scores["mean_iou_ratio"] == pytest.approx(1, abs=0.3)


def test_one_painting_a_map(result: Result) -> None:
    single = result.single[MAIN_PHOTOS]
    assert single.photos == result.counts["training_photos"]
    assert set(single.table) == {"real", "paintings", "pix2pix", "retrieval"}
    for name, ratio in single.ratios["paintings"].items():
        assert ratio == pytest.approx(single.table["paintings"][name] / single.table["real"][name])
        assert ratio < 0.8 * single.ratios["pix2pix"][name]
        low, high = single.intervals[name]
        assert low <= ratio <= high
    for side in SIDES[1:]:  # at the top, photos have a strip that no map tells of
        assert result.table["paintings"][f"edges_{side}"] == pytest.approx(1, abs=0.35), side


def test_other_folders_photos_are_held_against_and_may_have_been_copied(
    segmenter_and_references: tuple[EvalSegmenter, References],
) -> None:
    segmenter, references = segmenter_and_references
    photos = references.training.photos
    more = replace(references, unlabelled={"x": photos[:9] // 2}, learnt={"x": photos[9:12] // 2})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.evaluation.lite2.INPUT", 64)
        patch.setattr("training.evaluation.lens.DIRECTIONS", 4)
        bench = Bench(segmenter, Lite2(), more)
        copies = bench.extractor.extract(more.learnt["x"])
        scores = SingleBench(Lite2(), more).run({"paintings": references.mapped.photos})
    traits = bench.extractor.compare(copies, more.learnt["x"], references.training.maps[9:12])
    assert traits.nearest == pytest.approx(0, abs=1e-5)
    assert scores["x"].photos == 9
    floors = [scores[name].table["real"]["frechet_lite2"] for name in ("x", MAIN_PHOTOS)]
    assert floors[0] > floors[1]  # darker photos are farther from the maps'
    assert scores["x"].ratios["paintings"] == pytest.approx(dict.fromkeys(RATIOS, 1))


def test_fine_classes_count_as_the_ones_they_were_split_off(
    segmenter_and_references: tuple[EvalSegmenter, References],
) -> None:
    segmenter, references = segmenter_and_references
    pictures, maps = references.training.photos[:6], references.training.maps[:6]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.evaluation.lite2.INPUT", 64)
        patch.setattr("training.evaluation.lens.DIRECTIONS", 4)
        lite2, photos = Lite2(), references.training.photos[:20]
        extractor = FeatureExtractor(segmenter, lite2, Lens(lite2.look(photos)), photos)
        features = extractor.extract(pictures)
    cloudy = np.where(maps == 0, np.uint8(CLASS_NAMES.index("cloud")), maps)
    broad, fine = (extractor.compare(features, pictures, given) for given in (maps, cloudy))
    np.testing.assert_array_equal(broad.confusion, fine.confusion)
    np.testing.assert_array_equal(broad.colours, fine.colours)
    assert broad.confusion[:, 0].sum() > 0


def test_the_worse_painter_loses(result: Result) -> None:
    assert set(worse_than(result, "pix2pix")) <= {"precision", "mean_iou", "pixel_accuracy"}
    assert worse_than(result, "paintings") != []


def test_report_shows_every_figure(result: Result) -> None:
    page = as_markdown(result, "checkpoints/x")
    for name in (*result.table["paintings"], *CORRUPTIONS, "nearest layout", "Against pix2pix"):
        assert name in page
    assert max(map(len, page.split("\n\n")[1].splitlines())) <= 110
    kept = json.loads(json.dumps(as_json(result)))
    assert {one["mark"] for one in kept["checks"]} <= {"goal", "must", "missed"}
    assert len(check(result)) == 13
    unknown = as_json(replace(result, bands=math.nan))
    assert unknown["bands"] is None
    assert json.loads(json.dumps(unknown, allow_nan=False)) == unknown


def test_marks() -> None:
    least = Check("x", 0.9, must=0.85, goal=0.95, is_least=True)
    assert least.mark == "must"
    assert Check("x", 1.2, must=1.5, goal=1.15, is_least=False).mark == "must"
    assert Check("x", 1.6, must=1.5, goal=1.15, is_least=False).mark == "missed"
    assert Check("x", 1.0, must=1.5, goal=1.15, is_least=False).mark == "goal"
    assert Check("x", float("nan"), must=0.5, goal=None, is_least=True).mark == "missed"


@pytest.mark.parametrize(("num_maps", "seeds"), [(119, 6), (116, 12), (200, 6), (1, 702)])
def test_at_least_seven_hundred_paintings_and_each_kind_its_share(num_maps: int, seeds: int) -> None:
    assert sets.seeds_per_map(num_maps) == seeds


def test_layouts() -> None:
    plain = np.zeros((3, 32, 32), dtype=np.uint8)
    plain[1, 16:], plain[2] = 5, 7
    wanted = plain[1:2].copy()
    wanted[:, :8] = UNLABELLED
    assert nearest_layouts(wanted, plain, 3)[0].tolist() == [1, 0, 2]


def test_class_means(segmenter_and_references: tuple[EvalSegmenter, References]) -> None:
    means = class_means(segmenter_and_references[1].training)
    assert np.abs(means[0].astype(int) - COLOURS[1]).max() < 12
    assert (means[12] == 128).all()


def test_drawn_paintings_share_maps_and_seeds_with_their_twins(
    segmenter_and_references: tuple[EvalSegmenter, References],
) -> None:
    references = segmenter_and_references[1]
    count = len(references.filled)
    clean = sets.paint_clean(Painter(), references, 12)
    every = np.concatenate([sets.twins(count, 12, kind) for kind in CORRUPTIONS])
    assert sorted(every) == list(range(12 * count))
    for kind in ("blocks", "leave_bare"):
        drawn = sets.paint_drawn(Painter(), references, 12, kind)
        twin = sets.twins(count, 12, kind)
        assert (drawn.rows == clean.rows[twin]).all()
        same = (drawn.given == references.filled[drawn.rows]) & (drawn.given != UNLABELLED)
        assert np.array_equal(drawn.pictures[same], clean.pictures[twin][same])
        assert (drawn.given[references.mapped.maps[drawn.rows] == UNLABELLED] == UNLABELLED).all()
