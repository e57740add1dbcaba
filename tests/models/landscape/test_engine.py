"""The engine: checked loading, order, shapes, older palettes, and the same bytes alone or in any batch."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from models.checkpoint import CheckpointError, load_weights, read_config, save_checkpoint
from models.landscape.config import LandscapeConfig
from models.landscape.engine import LandscapeEngine, LandscapeRequest
from models.landscape.generator import Generator
from models.landscape.mirror import mirror
from models.landscape.outlines import find_outlines, naturalise
from models.landscape.palette import CLASS_NAMES, NUM_BROAD_CLASSES, NUM_CLASSES, PALETTE, PaletteClass


def make_checkpoint(made: Path, num_classes: int = NUM_CLASSES) -> Path:
    torch.manual_seed(0)
    config = LandscapeConfig(
        image_size=32,
        training_data="noise",
        classes=CLASS_NAMES[:num_classes],
        widths=(16, 16, 8),
        num_styles=6,
    )
    generator = Generator(config)
    torch.nn.init.normal_(generator.styles)
    save_checkpoint(made, config, generator.state_dict(), {"figure": 1.5}, "# A test\n")
    return made


SHAPES = [(32, 32), (16, 32), (32, 16), (32, 21), (17, 32), (32, 1), (1, 32), (5, 7), (8, 8)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("checkpoints") / "landscape")


@pytest.fixture(scope="module")
def engine(folder: Path) -> LandscapeEngine:
    return LandscapeEngine.load(folder, "cpu")


def some_requests(count: int) -> list[LandscapeRequest]:
    draw = np.random.default_rng(1)
    maps = draw.integers(NUM_CLASSES, size=(count, 32, 32), dtype=np.uint8)
    return [LandscapeRequest(label_map=labels, seed=seed) for seed, labels in enumerate(maps)]


def shaped_requests(shapes: Sequence[tuple[int, int]]) -> list[LandscapeRequest]:
    draw = np.random.default_rng(2)
    maps = [draw.integers(NUM_CLASSES, size=shape, dtype=np.uint8) for shape in shapes]
    return [LandscapeRequest(labels, seed=seed) for seed, labels in enumerate(maps)]


def test_same_bytes_alone_and_in_any_batch(engine: LandscapeEngine) -> None:
    requests = some_requests(5)
    together = engine.forward(requests)
    assert [picture.shape for picture in together] == [(32, 32, 3)] * 5
    assert together[0].dtype == np.uint8
    for request, picture in zip(requests, together, strict=True):
        assert np.array_equal(engine.forward([request])[0], picture)
    for request, picture in zip(reversed(requests), engine.forward(requests[::-1]), strict=True):
        assert np.array_equal(engine.forward([request])[0], picture)
    assert engine.forward([]) == []


@pytest.fixture(scope="module")
def fixed(folder: Path) -> LandscapeEngine:
    """The same checkpoint in batches of fixed sizes, as on a GPU."""
    generator = Generator(read_config(folder, LandscapeConfig))
    load_weights(folder, generator)
    return LandscapeEngine(generator, "cpu", {}, is_fixed=True)


def assert_alike(pictures: list[np.ndarray], others: list[np.ndarray]) -> None:
    for picture, other in zip(pictures, others, strict=True):
        assert picture.shape == other.shape
        assert np.abs(picture.astype(int) - other.astype(int)).max() <= 1


def test_batches_of_fixed_sizes_paint_the_same_pictures(
    fixed: LandscapeEngine, engine: LandscapeEngine
) -> None:
    requests = some_requests(37)  # two full batches, and one that is padded
    pictures = fixed.forward(requests)
    assert len(pictures) == 37
    assert_alike(pictures, engine.forward(requests))
    assert fixed.forward([]) == []


def test_beside_batches_of_fixed_sizes_other_shapes_are_painted_in_their_places(
    fixed: LandscapeEngine, engine: LandscapeEngine
) -> None:
    requests = shaped_requests([*SHAPES, *SHAPES])
    assert_alike(fixed.forward(requests), engine.forward(requests))


def test_batches_of_fixed_sizes_take_noise_of_several_channels_and_newer_classes() -> None:
    torch.manual_seed(0)
    config = LandscapeConfig(
        image_size=32, training_data="noise", classes=CLASS_NAMES[:NUM_BROAD_CLASSES],
        widths=(16, 16, 8), num_styles=6, noise_channels=3, noise_max_size=16,
    )  # fmt: skip
    generator = Generator(config)
    torch.nn.init.normal_(generator.styles)
    fixed, alone = (LandscapeEngine(generator, "cpu", {}, is_fixed=is_fixed) for is_fixed in (True, False))
    requests = [replace(request, class_seeds={NUM_CLASSES - 1: 2}) for request in some_requests(3)]
    assert_alike(fixed.forward(requests), alone.forward(requests))


def test_water_is_tinted_by_what_is_behind_it(engine: LandscapeEngine) -> None:
    labels = np.full((32, 32), CLASS_NAMES.index("sky"), np.uint8)
    labels[8:16, :16] = CLASS_NAMES.index("tree")
    inputs: list[NDArray[Any]] = [np.empty(shape, np.float32) for shape in engine.input_shapes()]
    for below, is_tinted in (("lake", True), ("grass", False)):
        labels[16:] = CLASS_NAMES.index(below)
        engine.fill(LandscapeRequest(labels, 3), inputs)
        _, styles, tints, *_ = inputs
        np.testing.assert_array_equal(tints, mirror(labels, styles))
        assert tints.any() == is_tinted


def test_a_drawing_keeps_its_classes_and_has_the_style_of_a_photo_with_a_like_layout() -> None:
    """Half of a bank's photos have snow below and are bright, the others have it above and are dark."""
    torch.manual_seed(0)
    config = LandscapeConfig(
        image_size=32, training_data="noise", widths=(16, 16, 8), num_styles=80, layout_side=8
    )
    generator = Generator(config)
    sky, snow = CLASS_NAMES.index("sky"), CLASS_NAMES.index("snow")
    assert generator.layouts is not None
    generator.layouts.fill_(sky)[::2, 4:] = snow
    generator.layouts[1::2, :4] = snow
    generator.styles[::2], generator.styles[1::2] = 3, -3
    engine = LandscapeEngine(generator, "cpu", {})
    inputs: list[NDArray[Any]] = [np.empty(shape, np.float32) for shape in engine.input_shapes()]
    labels = np.full((32, 32), sky, np.uint8)
    labels[16:] = snow
    for seed in range(12):
        engine.fill(LandscapeRequest(labels, seed, natural_outlines=True), inputs)
        assert (inputs[1] > 0).all()
        assert (inputs[0] == labels).mean() > 0.8
        assert set(np.unique(inputs[0])) == {sky, snow}


def test_the_style_is_of_a_photo_that_shows_what_is_drawn(tmp_path: Path) -> None:
    """A bank that tells: half its photos show sky and are bright, the other half sea and are dark."""
    torch.manual_seed(0)
    config = LandscapeConfig(
        image_size=32, training_data="noise", widths=(16, 16, 8), num_styles=200, tells_shown=True
    )
    generator = Generator(config)
    sky, sea = CLASS_NAMES.index("sky"), CLASS_NAMES.index("sea")
    assert generator.shown is not None
    generator.shown.zero_()
    generator.shown[::2, sky], generator.shown[1::2, sea] = 1, 1
    generator.styles[::2], generator.styles[1::2] = 3, -3
    save_checkpoint(tmp_path / "made", config, generator.state_dict(), {}, "# A test\n")
    loaded = LandscapeEngine.load(tmp_path / "made", "cpu")
    for seed in range(8):
        for number, sign in ((sky, 1), (sea, -1)):
            labels = np.full((32, 16), number, np.uint8)
            labels[0, 0] = CLASS_NAMES.index("tree")
            inputs: list[NDArray[Any]] = [np.empty((32, 32), np.uint8)]
            inputs += [np.empty(shape, np.float32) for shape in loaded.input_shapes()[1:]]
            loaded.fill(LandscapeRequest(np.repeat(labels, 2, axis=1), seed), inputs)
            assert sign * inputs[1].mean() > 2


def natural(request: LandscapeRequest) -> NDArray[np.uint8]:
    return naturalise(request.label_map, find_outlines(request.label_map), request.seed)


def test_natural_outlines_are_painted_as_if_they_had_been_drawn(
    engine: LandscapeEngine, fixed: LandscapeEngine
) -> None:
    drawn = []
    for seed, shape in enumerate(SHAPES):
        labels = np.zeros(shape, np.uint8)
        labels[shape[0] // 2 :] = CLASS_NAMES.index("tree")
        drawn.append(LandscapeRequest(labels, seed))
    asked = [replace(request, natural_outlines=True) for request in drawn]
    moved = [replace(request, label_map=natural(request)) for request in drawn]
    assert any((one.label_map != other.label_map).any() for one, other in zip(moved, drawn, strict=True))
    pictures = engine.forward(asked)
    for request, picture, expected in zip(asked, pictures, engine.forward(moved), strict=True):
        assert np.array_equal(picture, expected)
        assert np.array_equal(engine.forward([request])[0], picture)
    assert_alike(fixed.forward(asked), pictures)


def test_seeds_and_class_seeds_change_the_picture(engine: LandscapeEngine) -> None:
    labels = np.zeros((32, 32), dtype=np.uint8)
    plain, other, restyled, same = engine.forward(
        [
            LandscapeRequest(labels, seed=1),
            LandscapeRequest(labels, seed=2),
            LandscapeRequest(labels, seed=1, class_seeds={0: 2}),
            LandscapeRequest(labels, seed=1, class_seeds={5: 2}),  # a class that is not drawn
        ]
    )
    assert not np.array_equal(plain, other)
    assert not np.array_equal(plain, restyled)
    assert np.array_equal(plain, same)


def test_a_picture_has_its_maps_shape_alone_and_in_any_batch(engine: LandscapeEngine) -> None:
    requests = shaped_requests(SHAPES)
    pictures = engine.forward(requests)
    assert [picture.shape for picture in pictures] == [(*shape, 3) for shape in SHAPES]
    for request, picture in zip(requests, pictures, strict=True):
        assert np.array_equal(engine.forward([request])[0], picture)


def test_sides_in_between_are_painted_on_the_next_size_and_cropped(engine: LandscapeEngine) -> None:
    labels = np.random.default_rng(3).integers(NUM_CLASSES, size=(21, 32), dtype=np.uint8)
    wide = np.pad(labels, [(0, 3), (0, 0)], mode="edge")  # 24 rows: a multiple of 4
    cropped, whole = engine.forward([LandscapeRequest(labels, 1), LandscapeRequest(wide, 1)])
    assert np.array_equal(cropped, whole[:21])


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> LandscapeEngine:
    """An engine of a checkpoint from before any class was split off."""
    folder = make_checkpoint(tmp_path_factory.mktemp("older") / "landscape", NUM_BROAD_CLASSES)
    return LandscapeEngine.load(folder, "cpu")


@pytest.mark.parametrize("newer", PALETTE[NUM_BROAD_CLASSES:], ids=lambda entry: entry.name)
def test_an_older_checkpoint_paints_newer_classes_as_what_they_were_part_of(
    older: LandscapeEngine, newer: PaletteClass
) -> None:
    broader = CLASS_NAMES.index(newer.broader)
    here, there = (np.full((32, 32), number, np.uint8) for number in (newer.id, broader))
    plain, restyled = older.forward([LandscapeRequest(here, 1), LandscapeRequest(here, 1, {newer.id: 2})])
    assert older.describe()["classes"] == list(CLASS_NAMES[:NUM_BROAD_CLASSES])
    assert np.array_equal(plain, older.forward([LandscapeRequest(there, 1)])[0])
    assert np.array_equal(restyled, older.forward([LandscapeRequest(there, 1, {broader: 2})])[0])
    assert not np.array_equal(plain, restyled)


def test_in_an_older_checkpoint_a_class_s_own_seed_goes_before_its_parts(older: LandscapeEngine) -> None:
    river, lake = CLASS_NAMES.index("river"), CLASS_NAMES.index("lake")
    labels = np.full((32, 32), river, np.uint8)
    for seeds in ({lake: 9, river: 2}, {river: 2, lake: 9}):
        both, alone = older.forward(
            [LandscapeRequest(labels, 1, seeds), LandscapeRequest(labels, 1, {river: 2})]
        )
        assert np.array_equal(both, alone)


def test_a_checkpoint_that_knows_some_newer_classes_keeps_them_apart(tmp_path: Path) -> None:
    engine = LandscapeEngine.load(make_checkpoint(tmp_path / "landscape", NUM_BROAD_CLASSES + 1), "cpu")
    maps = [np.full((32, 32), CLASS_NAMES.index(name), np.uint8) for name in ("river", "lake", "waterfall")]
    river, lake, waterfall = engine.forward([LandscapeRequest(labels, 1) for labels in maps])
    assert not np.array_equal(lake, river)
    assert np.array_equal(waterfall, river)


def test_describe(engine: LandscapeEngine) -> None:
    said = engine.describe()
    assert said["metrics"] == {"figure": 1.5}
    assert said["training_data"] == "noise"
    assert said["class_seeds"] is True
    assert said["image_size"] == engine.image_size == 32


def test_a_truncated_checkpoint_is_refused(folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "landscape"
    broken.mkdir()
    for path in folder.iterdir():
        content = path.read_bytes()
        (broken / path.name).write_bytes(content[:-10] if path.suffix == ".safetensors" else content)
    with pytest.raises(CheckpointError, match="truncated"):
        LandscapeEngine.load(broken, "cpu")


def test_bfloat16_paints_what_float32_does() -> None:
    """Within the levels that nobody sees: the bundled model, a sketch with sky, and sea beneath it."""
    sketch = np.full((256, 256), CLASS_NAMES.index("sky"), np.uint8)
    sketch[150:] = CLASS_NAMES.index("sea")
    exact, rounded = (
        LandscapeEngine.load(Path("checkpoints/landscape"), "cpu", dtype).forward(
            [LandscapeRequest(sketch, 3)]
        )[0]
        for dtype in (torch.float32, torch.bfloat16)
    )
    assert exact.std() > 20
    apart = np.abs(exact.astype(int) - rounded)
    assert apart.mean() < 0.5
    assert apart.max() <= 6
