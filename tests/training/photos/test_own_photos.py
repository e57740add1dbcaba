"""Photos and maps as people keep them: every kind of map, turned and odd-shaped photos, and broken files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.landscape.palette import CLASS_NAMES, OUTLINES, PALETTE, UNLABELLED, rgb_array
from training.photos.errors import DataError
from training.photos.own_maps import match_colours, read_legend
from training.photos.own_photos import has_maps, load_own
from training.photos.targets import set_of, told

SKY, SEA, TREE = (CLASS_NAMES.index(name) for name in ("sky", "sea", "tree"))
BLUE, GREEN = (60, 110, 220), (30, 120, 40)


def photo(width: int, height: int) -> Image.Image:
    """Blue over green."""
    pixels = np.full((height, width, 3), BLUE, dtype=np.uint8)
    pixels[height // 2 :] = GREEN
    return Image.fromarray(pixels)


def layout(width: int, height: int, above: int, below: int) -> np.ndarray:
    numbers = np.full((height, width), above, dtype=np.uint8)
    numbers[height // 2 :] = below
    return numbers


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "images" / "Deep").mkdir(parents=True)
    (tmp_path / "labels" / "deep").mkdir(parents=True)
    return tmp_path


def add(folder: Path, name: str, map_image: Image.Image, size: tuple[int, int] = (96, 64)) -> None:
    photo(*size).save(folder / "images" / name)
    map_image.save(folder / "labels" / f"{Path(name).stem}.png")


def middle(data_map: np.ndarray) -> tuple[int, int]:
    return int(data_map[4, 16]), int(data_map[-4, 16])


def test_colours_and_ids_of_the_palette(folder: Path) -> None:
    ids = layout(96, 64, SKY, TREE)
    coloured = Image.fromarray(rgb_array()[ids])
    indexed = Image.fromarray(ids)
    indexed.putpalette([17, 120, 3] * 200)  # somebody else's colours: the numbers are meant
    add(folder, "colours.jpg", coloured)
    add(folder, "alpha.png", coloured.convert("RGBA"))
    add(folder, "adaptive.png", coloured.convert("P", palette=Image.Palette.ADAPTIVE))
    add(folder, "ids.webp", Image.fromarray(ids))
    add(folder, "indexed.bmp", indexed)
    add(folder, "grey.tiff", Image.fromarray(np.stack([ids] * 3, axis=2)))
    data = load_own(folder, 32)
    assert [middle(labels) for labels in data.maps] == [(SKY, TREE)] * 6
    assert data.photos.shape == (6, 32, 32, 3)


def test_a_legend_names_the_numbers(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "classes.txt").write_text("0 unlabelled\n1 Sky\n7 tree\n9 water\n12 unicorn\n200 sidewalk\n")
    add(folder, "one.jpg", Image.fromarray(layout(96, 64, 1, 7)))
    add(folder, "two.jpg", Image.fromarray(layout(96, 64, 12, 9)))
    indexed = Image.fromarray(layout(96, 64, 0, 200))
    indexed.putpalette([255, 0, 0] * 256)
    add(folder, "three.jpg", indexed)
    add(folder, "four.jpg", Image.fromarray(layout(96, 64, 1, 13)))
    data = load_own(folder, 32)
    maps = dict(zip(data.names, data.maps, strict=True))
    assert middle(told(maps["one.jpg"])) == (SKY, TREE)
    assert middle(maps["two.jpg"]) == (UNLABELLED, set_of(("sea", "river", "lake")))
    assert middle(maps["three.jpg"]) == (UNLABELLED, CLASS_NAMES.index("road"))
    said = capsys.readouterr().err
    assert "the palette has no unicorn; left open" in said
    assert "skipped 1: four.jpg: its map has the number 13, which is no class" in said


def test_every_name_of_the_palette_and_of_the_data_sets_is_known(folder: Path) -> None:
    names = [*CLASS_NAMES, *(name for entry in PALETTE for name in entry.sources[OUTLINES]), "hill"]
    (folder / "classes.txt").write_text("".join(f"{i} {name}\n" for i, name in enumerate(names)))
    legend = read_legend(folder)
    assert [legend.targets[i] for i in range(len(CLASS_NAMES))] == list(range(len(CLASS_NAMES)))
    assert UNLABELLED not in legend.targets.values()


@pytest.mark.parametrize(
    ("text", "said"),
    [("sky\n", "line 1: expected NUMBER NAME"), ("1 dog\n", "names no class"), ("", "names no")],
)
def test_a_legend_that_says_nothing_is_refused(folder: Path, text: str, said: str) -> None:
    (folder / "classes.txt").write_text(text)
    with pytest.raises(DataError, match=said):
        load_own(folder, 32)


def test_photos_are_turned_upright_and_cut_not_stretched(tmp_path: Path) -> None:
    wide = Image.new("RGB", (90, 30), "red")
    wide.paste(Image.new("RGB", (30, 30), "blue"), (30, 0))
    wide.save(tmp_path / "wide.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera lay on its side: a quarter turn to the right brings it upright
    photo(64, 64).transpose(Image.Transpose.ROTATE_90).save(tmp_path / "turned.JPEG", quality=95, exif=exif)
    photo(3000, 2000).save(tmp_path / "large.Jpg")
    photo(10, 20).save(tmp_path / "small.png")
    data = load_own(tmp_path, 32)
    assert not has_maps(tmp_path)
    assert (data.maps == UNLABELLED).all()
    photos = dict(zip(data.names, data.photos.astype(int), strict=True))
    assert (photos["wide.png"] == (0, 0, 255)).all()
    for name in ("turned.JPEG", "large.Jpg", "small.png"):
        assert np.abs(photos[name][2, 16] - BLUE).max() < 12, name
        assert np.abs(photos[name][-3, 16] - GREEN).max() < 12, name


def test_a_turned_photo_has_an_upright_map(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = photo(64, 96).transpose(Image.Transpose.ROTATE_90)
    lying.save(folder / "images" / "phone.jpg", exif=exif)
    Image.fromarray(layout(64, 96, SKY, TREE)).save(folder / "labels" / "phone.png")
    assert middle(load_own(folder, 32).maps[0]) == (SKY, TREE)


def test_what_can_t_be_used_is_named_and_counted(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good = Image.fromarray(layout(96, 64, SKY, SEA))
    add(folder, "Good one.JPG", good)
    photo(96, 64).save(folder / "images" / "Deep" / "Ärger.jpg")
    good.save(folder / "labels" / "deep" / "ärger.PNG")
    for name in ("cut.jpg", "text.jpg", "halfmap.jpg", "shape.jpg", "strange.jpg"):
        add(folder, name, good)
    whole = (folder / "images" / "cut.jpg").read_bytes()
    (folder / "images" / "cut.jpg").write_bytes(whole[:-50])
    (folder / "images" / "text.jpg").write_text("not a photo")
    (folder / "labels" / "halfmap.png").write_bytes((folder / "labels" / "halfmap.png").read_bytes()[:60])
    Image.fromarray(layout(64, 64, SKY, SEA)).save(folder / "labels" / "shape.png")
    Image.new("RGB", (96, 64), (255, 0, 255)).save(folder / "labels" / "strange.png")
    photo(96, 64).save(folder / "images" / "alone.jpg")
    (folder / "images" / "notes.txt").write_text("mine")
    (folder / "images" / ".hidden.jpg").write_text("nobody's")
    data = load_own(folder, 32)
    assert data.names == ("Ärger.jpg", "Good one.JPG")
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{folder}: read 2 files, skipped 7: " in said
    for reason in (
        "cut.jpg: can't be read (image file is truncated",
        "text.jpg: can't be read (no image)",
        "halfmap.jpg: its map can't be read",
        "shape.jpg: its map is of another shape",
        "strange.jpg: most of its map is in colours that the palette lacks",
        "alone.jpg: no map in labels/",
        "notes.txt",
    ):
        assert reason in said
    for name in ("Good one.JPG", "Deep/Ärger.jpg"):
        (folder / "images" / name).unlink()
    with pytest.raises(DataError, match="no photo that can be used"):
        load_own(folder, 32)


def test_colours_that_are_nearly_the_palette_s_are_taken_and_others_are_none() -> None:
    close = np.clip(rgb_array().astype(int) + 3, 0, 255).astype(np.uint8)[None]
    assert match_colours(close)[0].tolist() == list(range(len(CLASS_NAMES)))
    assert (match_colours(np.array([[[255, 255, 255], [0, 0, 0]]], dtype=np.uint8)) == UNLABELLED).all()
