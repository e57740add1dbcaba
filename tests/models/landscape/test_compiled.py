"""The painting kernel does what PyTorch's operators do, in every instruction set; what it lacks they do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from models.build import FLAGS, LEVELS, find_compiler, instruction_sets
from models.landscape import compiled
from models.landscape.compiled import DTYPES, CompiledGenerator, PaintingKernel
from models.landscape.config import LandscapeConfig
from models.landscape.edges import EdgeConv
from models.landscape.engine import LandscapeEngine, LandscapeRequest
from models.landscape.generator import SLOPE, Generator, look_up
from models.landscape.palette import CLASS_NAMES, NUM_CLASSES
from models.processor import has_tiles

ALL_LEVELS = {level: flags for levels in LEVELS.values() for level, flags in levels.items()}
KERNELS = Path(compiled.__file__).parent / "kernels"
N, T = 4, 3  # classes and tints
TOLERANCE = {torch.float32: 1e-5, torch.bfloat16: 0.02}  # of numbers of about 1


@pytest.fixture(scope="module", params=ALL_LEVELS)
def kernel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> PaintingKernel:
    compiler = find_compiler()
    if compiler is None:
        pytest.skip("needs a C++ compiler")
    if request.param not in instruction_sets():
        pytest.skip(f"this processor lacks {request.param}")
    path = tmp_path_factory.mktemp("compiled") / f"{request.param}-painting.so"
    sources = sorted(str(path) for path in KERNELS.glob("*.cpp"))
    subprocess.run(
        [
            compiler,
            *FLAGS,
            *ALL_LEVELS[request.param],
            "-Wall",
            "-Wextra",
            "-Werror",
            *sources,
            "-o",
            str(path),
        ],
        check=True,
    )
    return PaintingKernel(path)


def grown(x: Tensor, grows: bool) -> Tensor:
    return F.interpolate(x, scale_factor=2.0, mode="bilinear") if grows else x


def finished(x: Tensor) -> Tensor:
    return F.pad(F.leaky_relu(x, SLOPE), (1, 1, 1, 1), mode="replicate")


def drawn(draws: torch.Generator, shape: tuple[int, int], smooth: bool) -> Tensor:
    """Shares of N classes that fill no pixel, one, or some of each: (1, N, *shape)."""
    cells = torch.randint(N, (1, 3, 4), generator=draws)
    one_hot = F.one_hot(cells, N).permute(0, 3, 1, 2).float()
    return F.interpolate(one_hot, size=shape, mode="bilinear" if smooth else "nearest")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("grows", [False, True])
@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("tint_side", [None, 1, 2])
@pytest.mark.parametrize(("channels", "h", "w"), [(3, 8, 12), (16, 2, 4), (37, 8, 4), (5, 1, 1)])
def test_modulation(
    kernel: PaintingKernel,
    dtype: torch.dtype,
    grows: bool,
    noisy: bool,
    tint_side: int | None,
    channels: int,
    h: int,
    w: int,
) -> None:
    draws = torch.Generator().manual_seed(channels)
    shape = (2 * h, 2 * w) if grows else (h, w)
    x = torch.randn((1, channels, h, w), generator=draws).to(dtype)
    rows = torch.randn((1, N + 1 + T, (3 if noisy else 2) * channels), generator=draws).to(dtype)
    noise = torch.randn((1, 1, *shape), generator=draws).to(dtype) if noisy else None
    shares = drawn(draws, shape, smooth=grows).to(dtype)
    tints = None
    if tint_side:
        side = (max(shape[0] * tint_side // 4, 1), max(shape[1] * tint_side // 4, 1))
        tints = torch.randn((1, T, *side), generator=draws).to(dtype)
        tints[:, :, : side[0] // 2] = 0  # no water there
    ours = kernel.modulate(x, shares, tints, rows, noise, grows)

    height = torch.linspace(1, -1, shape[0]).view(1, 1, -1, 1).expand(1, 1, *shape)
    spread = (
        torch.zeros(1, T, *shape)
        if tints is None
        else F.interpolate(tints.float(), size=shape, mode="bilinear")
    )
    affine = look_up(torch.cat([shares.float(), height, spread], dim=1), rows.float())
    scale, shift, *gain = affine.chunk(3 if noisy else 2, dim=1)
    wanted = grown(x.float(), grows) * scale + shift
    if noise is not None:
        wanted = wanted + gain[0] * noise.float()
    assert ours.dtype == dtype
    torch.testing.assert_close(ours.float(), finished(wanted), rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("grows", [False, True])
@pytest.mark.parametrize("noisy", [False, True])
def test_modulation_of_each_pixel(
    kernel: PaintingKernel, dtype: torch.dtype, grows: bool, noisy: bool
) -> None:
    draws = torch.Generator().manual_seed(3)
    shape = (10, 18) if grows else (5, 9)
    x = torch.randn((1, 19, 5, 9), generator=draws).to(dtype)
    figures = torch.randn((1, 57 if noisy else 38, *shape), generator=draws).to(dtype)
    noise = torch.randn((1, 1, *shape), generator=draws).to(dtype) if noisy else None
    ours = kernel.modulate_each(x, figures, noise, grows)
    scale, shift, *gain = figures.float().chunk(3 if noisy else 2, dim=1)
    wanted = grown(x.float(), grows) * scale + shift
    if noise is not None:
        wanted = wanted + gain[0] * noise.float()
    torch.testing.assert_close(ours.float(), finished(wanted), rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("grows", [False, True])
@pytest.mark.parametrize("is_last", [False, True])
def test_residuals(kernel: PaintingKernel, dtype: torch.dtype, grows: bool, is_last: bool) -> None:
    draws = torch.Generator().manual_seed(1)
    skip = torch.randn((1, 5, 6, 7), generator=draws).to(dtype)
    x = torch.randn((1, 5, 12, 14) if grows else (1, 5, 6, 7), generator=draws).to(dtype)
    ours = kernel.join(skip, x, grows, is_last)
    wanted = (grown(skip.float(), grows) + x.float()) * 0.5**0.5
    wanted = finished(wanted) if is_last else wanted
    torch.testing.assert_close(ours.float(), wanted, rtol=TOLERANCE[dtype], atol=TOLERANCE[dtype])


def make_generator(**changes: object) -> Generator:
    torch.manual_seed(0)
    sizes = {"image_size": 64, "widths": (16, 16, 8, 8), "spade_max_size": 16, "spade_hidden": 8}
    config = LandscapeConfig.model_validate({"training_data": "x", "num_styles": 4} | sizes | changes)
    generator = Generator(config).eval()
    for module in generator.modules():
        if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
            module.running_mean.normal_()
    generator.styles.normal_()
    generator.fold()
    return generator


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"attention_sizes": (8, 64)},  # attention on the last size
        {"spade_max_size": 64},  # shapes matter at all sizes
        {"spade_max_size": 8, "noise_channels": 3},
    ],
)
@pytest.mark.parametrize("shape", [(64, 64), (32, 64), (64, 40)])
def test_a_generator_paints_what_it_painted(
    kernel: PaintingKernel, changes: dict[str, object], shape: tuple[int, int]
) -> None:
    generator = make_generator(**changes)
    draws = torch.Generator().manual_seed(2)
    labels = torch.randint(NUM_CLASSES, (1, shape[0] // 8, shape[1] // 8), generator=draws)
    labels = labels.repeat_interleave(8, 1).repeat_interleave(8, 2)
    noise = [torch.randn((1, *size), generator=draws) for size in generator.config.noise_shapes(*shape)]
    with torch.inference_mode():
        for tints in (
            torch.zeros(1, 3, shape[0] // 4, shape[1] // 4),
            torch.randn(1, 3, shape[0] // 4, shape[1] // 4),
        ):
            wanted = generator(labels, generator.styles[:1], noise, tints)
            ours = CompiledGenerator(generator, kernel)(labels, generator.styles[:1], noise, tints)
            assert wanted.std() > 0.05
            torch.testing.assert_close(ours, wanted, rtol=1e-4, atol=1e-4)


@pytest.mark.skipif(not has_tiles("bf16"), reason="no processor that multiplies bfloat16")
@pytest.mark.parametrize("width", [64, 40])
def test_weights_laid_out_ahead_paint_the_same(
    kernel: PaintingKernel, width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = np.full((64, width), CLASS_NAMES.index("sky"), np.uint8)
    labels[30:] = CLASS_NAMES.index("sea")
    hits, painted = [], []
    convolve = compiled.convolve_laid_out

    def counted(x: Tensor, weight: Tensor, conv: nn.Conv2d) -> Tensor:
        hits.append(conv)
        return convolve(x, weight, conv)

    monkeypatch.setattr(compiled, "convolve_laid_out", counted)
    for is_ahead in (True, False):
        monkeypatch.setattr(compiled, "has_tiles", lambda _, found=is_ahead: found)
        engine = LandscapeEngine(make_generator(), "cpu", {}, dtype=torch.bfloat16, kernel=kernel)
        edged = [one for one in engine._generator.modules() if isinstance(one, EdgeConv)]
        hits.clear()
        painted.append(engine.paint(LandscapeRequest(labels, 3)))
        assert set(hits) == (set(edged) if is_ahead and width == 64 else set())
    ahead, each_time = painted
    np.testing.assert_array_equal(ahead, each_time)


@pytest.mark.parametrize("error", [AttributeError, RuntimeError])
def test_a_pytorch_that_lays_out_nothing_paints_all_the_same(
    kernel: PaintingKernel, error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise error("no such operator")

    labels = np.full((64, 64), CLASS_NAMES.index("sky"), np.uint8)
    painted = []
    for is_ahead in (True, False):
        monkeypatch.setattr(compiled, "has_tiles", lambda _, found=is_ahead: found)
        monkeypatch.setattr(compiled, "convolve_laid_out", refuse)
        monkeypatch.setattr(compiled, "lay_out", refuse)
        engine = LandscapeEngine(make_generator(), "cpu", {}, dtype=torch.bfloat16, kernel=kernel)
        painted.append(engine.paint(LandscapeRequest(labels, 3)))
    np.testing.assert_array_equal(painted[0], painted[1])


def test_an_engine_paints_the_same_with_it_and_without(kernel: PaintingKernel) -> None:
    labels = np.full((64, 48), CLASS_NAMES.index("sky"), np.uint8)
    labels[20:] = CLASS_NAMES.index("mountain")
    labels[40:] = CLASS_NAMES.index("lake")
    requests = [LandscapeRequest(labels, seed, natural_outlines=True) for seed in range(3)]
    for dtype, levels in ((torch.float32, 1), (torch.bfloat16, 12)):
        plain = LandscapeEngine(make_generator(), "cpu", {}, dtype=dtype)
        ours = LandscapeEngine(make_generator(), "cpu", {}, dtype=dtype, kernel=kernel)
        apart = np.abs(np.stack(plain.forward(requests)).astype(int) - np.stack(ours.forward(requests)))
        assert ours.describe()["kernel"] == kernel.level
        assert apart.max() <= levels
        assert apart.mean() < 0.5
