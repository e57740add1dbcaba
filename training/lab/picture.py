"""Pictures of a lab run: what a frame shows, drawn with Pillow; an animation and a timeline of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from models.lab.config import VIEW

Color = tuple[int, int, int]

SIZE = 300  # pixels of a panel, each way
SCALE = 2  # drawn larger by this and shrunk, for smooth edges
MARGIN = 12
CHART_HEIGHT = 120

# Blue where the discriminator takes samples for generated, orange where for real.
FAKE_HEAT, EVEN_HEAT, REAL_HEAT = (176, 206, 236), (250, 250, 248), (250, 214, 165)
REAL: Color = (27, 120, 55)
GENERATED: Color = (118, 42, 131)
INK: Color = (40, 40, 40)
PALE: Color = (170, 170, 170)
CURVES: dict[str, Color] = {"wasserstein": (118, 42, 131), "js": (200, 90, 20), "kl": (30, 110, 170)}
NAMES = {"wasserstein": "W1", "js": "JS", "kl": "KL"}


def draw_frame(start: Mapping[str, Any], frames: Sequence[Mapping[str, Any]]) -> Image.Image:
    """The last of ``frames`` (samples over the heat map; the manifold); below, the measures of all so far."""
    frame = frames[-1]
    width = 2 * SIZE + 3 * MARGIN
    page = Image.new("RGB", (width, SIZE + CHART_HEIGHT + 4 * MARGIN + 14), "white")
    draw = ImageDraw.Draw(page)
    draw.text((MARGIN, 6), _caption(start, frame), fill=INK, font=ImageFont.load_default(12))
    top = MARGIN + 14
    page.paste(draw_samples(start, frame), (MARGIN, top))
    page.paste(draw_manifold(start, frame), (SIZE + 2 * MARGIN, top))
    page.paste(_draw_chart(start, frames, width - 2 * MARGIN), (MARGIN, top + SIZE + MARGIN))
    return page


def draw_samples(start: Mapping[str, Any], frame: Mapping[str, Any], size: int = SIZE) -> Image.Image:
    """Real (green) and generated (purple) samples with their gradients, over the discriminator's heat map."""
    cells = start["heat_cells"]
    heat = np.array(frame["heat"], np.float64).reshape(cells, cells)[::-1] / 255  # y points up
    picture = Image.fromarray(_heat_colors(heat)).resize((size * SCALE,) * 2, Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(picture)
    generated, gradients = _points(frame["generated"]), _points(frame["gradients"])
    longest = max(float(np.linalg.norm(gradients, axis=1).max(initial=0)), 1e-9)
    for at, gradient in zip(generated, gradients, strict=False):
        tip = at + gradient * (0.2 / longest)
        draw.line([_pixel(at, size), _pixel(tip, size)], fill=(200, 120, 200), width=SCALE)
    for color, points in ((REAL, _points(start["real"])), (GENERATED, generated)):
        for point in points:
            _dot(draw, point, size, color)
    return picture.resize((size, size), Image.Resampling.LANCZOS)


def draw_manifold(start: Mapping[str, Any], frame: Mapping[str, Any], size: int = SIZE) -> Image.Image:
    """The grid of noise as the generator bends it; the darker a cell, the denser its samples."""
    picture = Image.new("RGB", (size * SCALE,) * 2, "white")
    draw = ImageDraw.Draw(picture, "RGBA")
    shape = start["manifold_shape"]
    vertices = _points(frame["manifold"]["vertices"]).reshape(*shape, 2)
    densities = np.array(frame["manifold"]["densities"])
    opacities = np.clip(40 + 60 * np.log10(1 + densities), 0, 220).astype(int)
    if len(shape) == 1:
        for index, opacity in enumerate(opacities):
            ends = [_pixel(vertices[index], size), _pixel(vertices[index + 1], size)]
            draw.line(ends, fill=(*GENERATED, int(opacity)), width=2 * SCALE)
    else:
        for index, opacity in enumerate(opacities):
            row, column = divmod(index, shape[1] - 1)
            corners = [vertices[row + i, column + j] for i, j in ((0, 0), (1, 0), (1, 1), (0, 1))]
            draw.polygon([_pixel(corner, size) for corner in corners], fill=(*GENERATED, int(opacity)))
    for point in _points(start["real"]):
        _dot(draw, point, size, REAL)
    return picture.resize((size, size), Image.Resampling.LANCZOS)


def save_animation(path: Path, start: Mapping[str, Any], frames: Sequence[Mapping[str, Any]]) -> None:
    """An endless GIF of the frames; the last stands longer."""
    pictures = [draw_frame(start, frames[: index + 1]) for index in range(len(frames))]
    palette = _common_palette([pictures[len(pictures) // 2], pictures[-1]])
    indexed = [one.quantize(palette=palette, dither=Image.Dither.NONE) for one in pictures]
    durations = [120] * (len(indexed) - 1) + [3000]
    indexed[0].save(path, save_all=True, append_images=indexed[1:], duration=durations, loop=0, optimize=True)


def save_timeline(
    path: Path, start: Mapping[str, Any], frames: Sequence[Mapping[str, Any]], columns: int = 6
) -> None:
    """A PNG of ``columns`` moments, evenly spread: samples above, manifold below, and the whole chart."""
    columns = min(columns, len(frames))
    chosen = [frames[round(index * (len(frames) - 1) / max(1, columns - 1))] for index in range(columns)]
    size = SIZE * 2 // 3
    width = columns * (size + MARGIN) + MARGIN
    page = Image.new("RGB", (width, 2 * size + CHART_HEIGHT + 5 * MARGIN + 12), "white")
    draw = ImageDraw.Draw(page)
    for index, frame in enumerate(chosen):
        left = MARGIN + index * (size + MARGIN)
        draw.text((left, 6), f"step {frame['step']:,}", fill=INK, font=ImageFont.load_default(12))
        page.paste(draw_samples(start, frame, size), (left, MARGIN + 12))
        page.paste(draw_manifold(start, frame, size), (left, size + 2 * MARGIN + 12))
    page.paste(_draw_chart(start, frames, width - 2 * MARGIN), (MARGIN, 2 * size + 3 * MARGIN + 12))
    page.save(path, optimize=True)


def _draw_chart(start: Mapping[str, Any], frames: Sequence[Mapping[str, Any]], width: int) -> Image.Image:
    """The measures over the steps as multiples of their floors, on a logarithmic scale from ½ to 200."""
    picture = Image.new("RGB", (width * SCALE, CHART_HEIGHT * SCALE), "white")
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(11 * SCALE)
    left, right = 34 * SCALE, (width - 60) * SCALE
    last = max(1, frames[-1]["step"])

    def place(step: int, ratio: float) -> tuple[float, float]:
        share = np.log10(max(0.5, min(ratio, 200)) / 0.5) / np.log10(400)
        return left + (right - left) * step / last, (CHART_HEIGHT - 8 - share * (CHART_HEIGHT - 16)) * SCALE

    for ratio in (1, 10, 100):
        y = place(0, ratio)[1]
        draw.line([(left, y), (right, y)], fill=INK if ratio == 1 else PALE, width=SCALE)
        draw.text((0, y - 7 * SCALE), "floor" if ratio == 1 else f"{ratio}x", fill=INK, font=font)
    ends: list[tuple[float, str]] = []
    for name, color in CURVES.items():
        points = [place(one["step"], one["measures"][name] / start["floor"][name]) for one in frames]
        draw.line([*points, points[-1]], fill=color, width=2 * SCALE)
        ends.append((points[-1][1], name))
    lowest = -1e9
    for y, name in sorted(ends):  # names keep apart where curves meet
        lowest = max(y - 7 * SCALE, lowest + 13 * SCALE)
        draw.text((right + 6 * SCALE, lowest), NAMES[name], fill=CURVES[name], font=font)
    return picture.resize((width, CHART_HEIGHT), Image.Resampling.LANCZOS)


def _common_palette(pictures: Sequence[Image.Image]) -> Image.Image:
    """One palette for all frames, or colours would flicker; it has those of thin lines, too."""
    width, height = pictures[0].size
    sample = Image.new("RGB", (width, height * len(pictures) + MARGIN))
    for index, picture in enumerate(pictures):
        sample.paste(picture, (0, index * height))
    for index, color in enumerate([REAL, GENERATED, INK, *CURVES.values()]):
        sample.paste(color, (50 * index, sample.height - MARGIN, 50 * (index + 1), sample.height))
    return sample.quantize(255)


def _caption(start: Mapping[str, Any], frame: Mapping[str, Any]) -> str:
    measures, floor = frame["measures"], start["floor"]
    return (
        f"step {frame['step']:,}    W1 {measures['wasserstein']:.3f} (floor {floor['wasserstein']:.3f})    "
        f"JS {measures['js']:.3f} ({floor['js']:.3f})    KL {measures['kl']:.3f} ({floor['kl']:.3f})    "
        f"bins {measures['bins_hit']}/{start['num_bins']}"
    )


def _heat_colors(heat: NDArray[np.float64]) -> NDArray[np.uint8]:
    """(H, W) from 0 to 1 → (H, W, 3)."""
    stops = np.array([FAKE_HEAT, EVEN_HEAT, REAL_HEAT], np.float64)
    channels = [np.interp(heat, [0, 0.5, 1], stops[:, index]) for index in range(3)]
    return np.stack(channels, -1).round().astype(np.uint8)


def _points(flat: Sequence[float]) -> NDArray[np.float64]:
    return np.array(flat, np.float64).reshape(-1, 2)


def _pixel(point: NDArray[np.float64], size: int) -> tuple[float, float]:
    x, y = np.clip(point, -10, 10)
    scale = size * SCALE / (2 * VIEW)
    return float((x + VIEW) * scale), float((VIEW - y) * scale)


def _dot(draw: ImageDraw.ImageDraw, point: NDArray[np.float64], size: int, color: Color) -> None:
    x, y = _pixel(point, size)
    radius = 1.7 * SCALE
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)
