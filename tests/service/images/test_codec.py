"""Every kind of file that may arrive: the right pixels, or an error that says what is wrong with the file."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageColor
from PIL.ImageCms import ImageCmsProfile, createProfile

from models.errors import RequestError
from models.landscape.cie_lab import rgb_to_lab
from models.landscape.palette import CLASS_NAMES, NUM_BROAD_CLASSES, PALETTE, rgb_array
from service.images.codec import encode, read_photo, read_sketch
from service.images.formats import ImageFormat
from tests.service.images.icc import adobe_rgb_profile, cmyk_profile, to_adobe_rgb, to_lab

SIZE = 32
GRASS = CLASS_NAMES.index("grass")

Pixels = NDArray[np.uint8]


def labels() -> NDArray[np.uint8]:
    """No symmetry, so that a wrong turn shows; 8-pixel blocks, so that JPEG keeps them."""
    rng = np.random.default_rng(1)
    return rng.integers(0, len(PALETTE), (4, 4), dtype=np.uint8).repeat(8, axis=0).repeat(8, axis=1)


def picture() -> Image.Image:
    return Image.fromarray(rgb_array()[labels()])


def saved(image: Image.Image, image_format: str = "PNG", **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, image_format, **options)
    return file.getvalue()


def label_map(data: bytes) -> NDArray[np.uint8]:
    return read_sketch(data, SIZE, "sketch").label_map


def png_chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int, depth: int, color: int, rows: bytes, extra: bytes = b"") -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, color, 0, 0, 0))
    pixels = png_chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + header + extra + pixels + png_chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("image_format", "options"),
    [
        ("PNG", {}),
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("JPEG", {"quality": 95, "subsampling": 0, "progressive": True}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_every_format(image_format: str, options: dict[str, Any]) -> None:
    np.testing.assert_array_equal(label_map(saved(picture(), image_format, **options)), labels())


@pytest.mark.parametrize(
    ("image_format", "quality"), [("JPEG", 75), ("JPEG", 92), ("WEBP", 80), ("WEBP", 95)]
)
def test_blurred_chroma_leaves_edges_where_they_are(image_format: str, quality: int) -> None:
    """What paint programs and phones save: colour at half the resolution."""
    large = picture().resize((4 * SIZE, 4 * SIZE), Image.Resampling.NEAREST)
    data = saved(large, image_format, quality=quality)
    np.testing.assert_array_equal(
        read_sketch(data, 2 * SIZE, "s").label_map, labels().repeat(2, 0).repeat(2, 1)
    )


@pytest.mark.parametrize(("image_format", "quality"), [("JPEG", 75), ("WEBP", 80)])
def test_a_blurred_sketch_in_earlier_colours_is_the_same_sketch(image_format: str, quality: int) -> None:
    earlier = np.array(
        [ImageColor.getrgb((*one.earlier_colors, one.color)[0]) for one in PALETTE[:NUM_BROAD_CLASSES]],
        np.uint8,
    )
    drawn = labels() % NUM_BROAD_CLASSES
    large = Image.fromarray(earlier[drawn]).resize((4 * SIZE, 4 * SIZE), Image.Resampling.NEAREST)
    data = saved(large, image_format, quality=quality)
    np.testing.assert_array_equal(read_sketch(data, 2 * SIZE, "s").label_map, drawn.repeat(2, 0).repeat(2, 1))


@pytest.mark.parametrize("mode", ["P", "RGBA", "PA"])
def test_modes_of_png(mode: str) -> None:
    image = picture().quantize(len(PALETTE)).convert(mode) if mode != "RGBA" else picture().convert(mode)
    data = saved(image.convert("P") if mode == "PA" else image)
    np.testing.assert_array_equal(label_map(data), labels())


def test_palette_png_with_a_transparent_entry() -> None:
    image = picture().quantize(len(PALETTE))
    hidden = int(np.asarray(image)[0, 0])
    sketch = read_sketch(saved(image, transparency=hidden), SIZE, "sketch")
    assert sketch.unlabelled_fraction == pytest.approx(np.mean(labels() == labels()[0, 0]))


def test_rgb_png_with_a_transparent_colour() -> None:
    color = tuple(rgb_array()[labels()[0, 0]].tolist())
    sketch = read_sketch(saved(picture(), transparency=color), SIZE, "sketch")
    assert sketch.unlabelled_fraction == pytest.approx(np.mean(labels() == labels()[0, 0]))


def test_cmyk_jpeg() -> None:
    data = saved(Image.new("RGB", (64, 64), PALETTE[GRASS].color).convert("CMYK"), "JPEG", quality=95)
    assert (label_map(data) == GRASS).all()


def test_sixteen_bit_colour_png() -> None:
    rows = b"".join(b"\0" + (row.astype(">u2") * 257).tobytes() for row in np.asarray(picture()))
    np.testing.assert_array_equal(label_map(png(SIZE, SIZE, 16, 2, rows)), labels())


def test_sixteen_bit_grey_png_is_scaled_not_clipped() -> None:
    ramp = np.linspace(0, 65535, SIZE).astype(">u2")
    photo = read_photo(png(SIZE, SIZE, 16, 0, (b"\0" + ramp.tobytes()) * SIZE), "photo")
    np.testing.assert_allclose(photo[0, :, 0], ramp / 257, atol=0.51)
    assert (photo == photo[:1, :, :1]).all()


def test_sixteen_bit_grey_png_with_a_transparent_shade() -> None:
    ramp = np.linspace(0, 65535, SIZE).astype(">u2")
    data = png(SIZE, SIZE, 16, 0, (b"\0" + ramp.tobytes()) * SIZE, png_chunk(b"tRNS", b"\0\0"))
    photo = read_photo(data, "photo")
    assert (photo[:, 0] == 255).all()  # black was the transparent shade, and white lies beneath
    assert (photo[:, 1] < 20).all()


@pytest.mark.parametrize("mode", ["1", "L", "LA"])
def test_grey_photos(mode: str) -> None:
    image = Image.new("L", (20, 16), 255).convert(mode)
    photo = read_photo(saved(image), "photo")
    assert photo.shape == (16, 20, 3)
    assert (photo == 255).all()


def test_transparent_parts_of_a_photo_are_white() -> None:
    photo = read_photo(saved(Image.new("RGBA", (16, 16), (10, 20, 30, 0))), "photo")
    assert (photo == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
def test_orientation_is_applied(orientation: int, image_format: str) -> None:
    """Stored as a camera would store it, each of the eight comes back upright."""
    stored: Callable[[Pixels], Pixels] = {
        1: lambda a: a, 2: lambda a: a[:, ::-1], 3: lambda a: a[::-1, ::-1], 4: lambda a: a[::-1],
        5: lambda a: a.swapaxes(0, 1), 6: lambda a: np.rot90(a, 1),
        7: lambda a: a[::-1, ::-1].swapaxes(0, 1), 8: lambda a: np.rot90(a, -1),
    }[orientation]  # fmt: skip
    upright = np.asarray(picture().resize((32, 48), Image.Resampling.NEAREST))
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"lossless": True, "quality": 95, "subsampling": 0}
    image = Image.fromarray(np.ascontiguousarray(stored(upright)))
    sketch = read_sketch(saved(image, image_format, exif=exif, **options), SIZE, "sketch")
    assert (sketch.width, sketch.height) == (32, 48)
    np.testing.assert_array_equal(sketch.label_map, read_sketch(encode(upright, "png"), SIZE, "s").label_map)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_damaged_exif_is_ignored() -> None:
    data = saved(picture(), "JPEG", quality=95, subsampling=0, exif=b"Exif\0\0II*\0\xff\xff\xff\xffgarbage")
    np.testing.assert_array_equal(label_map(data), labels())


@pytest.mark.parametrize("image_format", ["PNG", "WEBP"])
def test_an_animation_counts_as_its_first_frame(image_format: str) -> None:
    later = Image.new("RGB", picture().size, PALETTE[GRASS].color)
    data = saved(picture(), image_format, save_all=True, append_images=[later, later], lossless=True)
    np.testing.assert_array_equal(label_map(data), labels())


@pytest.mark.parametrize(
    ("size", "is_taken"),
    [((16, 16), True), ((15, 16), False), ((16, 15), False), ((4096, 2048), True), ((4097, 2049), False)],
)
@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
def test_limits_of_size(size: tuple[int, int], is_taken: bool, image_format: str) -> None:
    data = saved(Image.new("RGB", size, PALETTE[GRASS].color), image_format)
    if is_taken:
        assert (label_map(data) == GRASS).all()
    else:
        with pytest.raises(RequestError, match=f"{size[0]}×{size[1]} pixels"):
            read_sketch(data, SIZE, "sketch")


@pytest.mark.parametrize(
    ("size", "most"),
    [
        ((100, 200), 2),
        ((200, 100), 2),
        ((100, 201), 4),
        ((201, 100), 4),
        ((31, 63), 4),
        ((16, 64), 4),
        ((400, 100), 4),
        ((401, 100), None),
        ((100, 401), None),
        ((4096, 16), None),
        ((16, 4096), None),
    ],
)
@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
def test_limits_of_shape(size: tuple[int, int], most: int | None, image_format: str) -> None:
    """A sketch may be twice as long as wide, a photo four times."""
    data = saved(Image.new("RGB", size, PALETTE[GRASS].color), image_format)
    for ratio, read in ((2, lambda: read_sketch(data, SIZE, "it")), (4, lambda: read_photo(data, "it"))):
        if most is not None and most <= ratio:
            read()
            continue
        with pytest.raises(
            RequestError, match=f"{size[0]}×{size[1]} pixels; .* 1:{ratio} to {ratio}:1"
        ) as caught:
            read()
        assert caught.value.field == "it"


def test_an_upright_sketch_may_lie_in_its_file() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = saved(Image.new("RGB", (64, 32), PALETTE[GRASS].color), "JPEG", exif=exif)
    assert read_sketch(lying, SIZE, "sketch").label_map.shape == (SIZE, SIZE // 2)


def webp_canvas(width: int, height: int) -> bytes:
    sizes = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    chunk = b"VP8X" + struct.pack("<I", 10) + b"\x02\0\0\0" + sizes
    return b"RIFF" + struct.pack("<I", len(chunk) + 4) + b"WEBP" + chunk


@pytest.mark.parametrize(
    "data",
    [
        png(60000, 60000, 8, 2, b"\0" * 1000),
        webp_canvas(16000, 16000),
        saved(Image.new("L", (20, 20)), "JPEG").replace(b"\x00\x14\x00\x14", b"\xff\xdc\xff\xdc", 1),
    ],
    ids=["png", "webp", "jpeg"],
)
def test_bombs_are_refused_by_their_header(data: bytes) -> None:
    with pytest.raises(RequestError, match="pixels; 16×16 to 4096×4096"):
        read_sketch(data, SIZE, "sketch")


def test_compressed_text_bomb() -> None:
    bomb = png_chunk(b"zTXt", b"Comment\0\0" + zlib.compress(b"x" * 50_000_000))
    rows = (b"\0" + bytes(rgb_array()[GRASS]) * SIZE) * SIZE
    with pytest.raises(RequestError, match="PNG image is truncated or damaged"):
        read_sketch(png(SIZE, SIZE, 8, 2, rows, bomb), SIZE, "sketch")


def test_a_jpeg_of_a_thousand_scans_is_refused() -> None:
    data = saved(picture(), "JPEG", progressive=True)
    start = data.rindex(b"\xff\xda")
    with pytest.raises(RequestError, match="scans"):
        read_sketch(data[:start] + data[start:-2] * 1000 + b"\xff\xd9", SIZE, "sketch")


@pytest.mark.parametrize(
    ("image_format", "options"),
    [("PNG", {}), ("JPEG", {"quality": 95}), ("WEBP", {"lossless": True}), ("WEBP", {"quality": 95})],
)
def test_a_cut_file_is_refused_or_complete(image_format: str, options: dict[str, Any]) -> None:
    """Wherever a file ends too early, either no pixel is lost (a missing last chunk) or it is refused."""
    data = saved(picture(), image_format, **options)
    whole = read_photo(data, "photo")
    num_refused = 0
    for length in range(len(data)):
        try:
            pixels = read_photo(data[:length], "photo")
        except RequestError:
            num_refused += 1
        else:
            np.testing.assert_array_equal(pixels, whole)
    assert num_refused >= len(data) - 20


def test_flipped_bytes_never_raise_anything_else() -> None:
    rng = np.random.default_rng(5)
    for image_format in ("PNG", "JPEG", "WEBP"):
        data = np.frombuffer(saved(picture(), image_format), np.uint8)
        for _ in range(300):
            broken = data.copy()
            broken[rng.integers(0, len(data), 4)] = rng.integers(0, 256, 4)
            try:
                pixels = read_photo(broken.tobytes(), "photo")
            except RequestError:
                continue
            assert pixels.dtype == np.uint8


@pytest.mark.parametrize(
    "data", [b"", b"hello", b"<svg xmlns='http://www.w3.org/2000/svg'/>", b"%PDF-1.7", b"PK\3\4" + b"\0" * 99]
)
def test_what_is_no_image(data: bytes) -> None:
    with pytest.raises(RequestError) as caught:
        read_sketch(data, SIZE, "drawing")
    assert caught.value.field == "drawing"


@pytest.mark.parametrize("image_format", ["GIF", "BMP", "TIFF", "PPM"])
def test_other_formats_that_pillow_knows(image_format: str) -> None:
    with pytest.raises(RequestError, match="not a PNG, JPEG or WebP"):
        read_sketch(saved(picture(), image_format), SIZE, "sketch")


@pytest.mark.parametrize("image_format", ["PNG", "JPEG", "WEBP"])
def test_a_polyglot_is_its_picture_and_nothing_else(image_format: str) -> None:
    tail = b"PK\3\4<script>alert(1)</script>%PDF-1.7" + saved(Image.new("RGB", (99, 99)), "GIF")
    options: dict[str, Any] = {"lossless": True, "quality": 95, "subsampling": 0}
    data = saved(picture(), image_format, **options) + tail
    np.testing.assert_array_equal(label_map(data), labels())
    assert b"<script>" not in encode(read_photo(data, "photo"), "png")


def test_png_and_webp_of_high_quality_and_exact_png() -> None:
    rng = np.random.default_rng(2)
    smooth = np.asarray(Image.fromarray(rng.integers(0, 256, (8, 8, 3), np.uint8)).resize((64, 64)))
    formats: tuple[tuple[ImageFormat, float], ...] = (("png", 0), ("jpeg", 3), ("webp", 6))
    for image_format, worst in formats:
        data = encode(smooth, image_format)
        assert Image.open(io.BytesIO(data)).format == image_format.upper()
        error = np.abs(read_photo(data, "photo").astype(int) - smooth).mean()
        assert error <= worst


def in_adobe_rgb() -> Image.Image:
    return Image.fromarray(to_adobe_rgb(np.asarray(picture())))


@pytest.mark.parametrize(
    ("image_format", "options"),
    [
        ("PNG", {}),
        ("JPEG", {"quality": 95, "subsampling": 0}),
        ("WEBP", {"lossless": True}),
    ],
)
def test_a_wide_gamut_profile_is_followed(image_format: str, options: dict[str, Any]) -> None:
    """What screens and cameras of a wider gamut save: other numbers for the same colours."""
    assert np.abs(np.asarray(in_adobe_rgb()).astype(int) - np.asarray(picture())).max() > 50
    data = saved(in_adobe_rgb(), image_format, icc_profile=adobe_rgb_profile(), **options)
    np.testing.assert_array_equal(label_map(data), labels())
    error = np.abs(read_photo(data, "photo").astype(int) - np.asarray(picture()))
    assert error.max() <= (16 if image_format == "JPEG" else 2)


def test_a_profile_keeps_transparency() -> None:
    image = in_adobe_rgb().convert("RGBA")
    image.putalpha(Image.fromarray(np.where(labels() == labels()[0, 0], 0, 255).astype(np.uint8)))
    sketch = read_sketch(saved(image, icc_profile=adobe_rgb_profile()), SIZE, "sketch")
    assert sketch.unlabelled_fraction == pytest.approx(np.mean(labels() == labels()[0, 0]))


def test_a_palette_png_with_a_profile() -> None:
    data = saved(in_adobe_rgb().quantize(len(PALETTE)), icc_profile=adobe_rgb_profile())
    np.testing.assert_array_equal(label_map(data), labels())


def test_srgb_said_aloud_changes_no_value() -> None:
    noise = np.random.default_rng(3).integers(0, 256, (32, 32, 3), np.uint8)
    data = saved(Image.fromarray(noise), icc_profile=ImageCmsProfile(createProfile("sRGB")).tobytes())
    np.testing.assert_array_equal(read_photo(data, "photo"), noise)


def test_inks_are_what_their_profile_says() -> None:
    """A press whose cyan is the palette's green. JPEG holds inks inverted, as Adobe's programs write them."""
    ink = Image.new("CMYK", (64, 64), (255, 0, 0, 0))
    green = rgb_array()[GRASS]
    data = saved(ink, "JPEG", quality=95, icc_profile=cmyk_profile(to_lab(green)))
    assert (label_map(data) == GRASS).all()
    assert np.linalg.norm(rgb_to_lab(read_photo(data, "photo")[0, 0]) - rgb_to_lab(green)) < 3
    with pytest.raises(RequestError, match="in no colour of the palette"):  # without the profile: cyan
        read_sketch(saved(ink, "JPEG", quality=95), SIZE, "sketch")


@pytest.mark.parametrize("profile", [b"garbage", adobe_rgb_profile()[:200], cmyk_profile((50.0, 0.0, 0.0))])
def test_a_profile_that_does_not_fit_is_ignored(profile: bytes) -> None:
    np.testing.assert_array_equal(label_map(saved(picture(), icc_profile=profile)), labels())
    grey = Image.new("L", (20, 20), 77)
    assert (read_photo(saved(grey, icc_profile=profile), "photo") == 77).all()
