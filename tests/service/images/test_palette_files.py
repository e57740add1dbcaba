"""Palette files, read back as the programs that they are for do."""

from __future__ import annotations

import io
import struct

from PIL.GimpPaletteFile import GimpPaletteFile

from models.landscape.palette import PALETTE, rgb_array
from service.images.palette_files import palette_file


def test_gimp_s_palette_has_every_colour_and_name() -> None:
    data = palette_file("gpl")
    colors, mode = GimpPaletteFile(io.BytesIO(data)).getpalette()
    assert mode == "RGB"
    assert colors[: 3 * len(PALETTE)] == rgb_array().tobytes()
    names = [line.split("\t")[1] for line in data.decode().splitlines() if "\t" in line]
    assert names == [one.name for one in PALETTE]


def test_photoshop_s_swatches_have_every_colour_twice_and_every_name() -> None:
    file = io.BytesIO(palette_file("aco"))
    for version in (1, 2):
        assert struct.unpack(">HH", file.read(4)) == (version, len(PALETTE))
        for one in PALETTE:
            space, *color, last = struct.unpack(">5H", file.read(10))
            assert (space, last) == (0, 0)
            assert "#" + bytes(channel >> 8 for channel in color).hex() == one.color
            if version == 2:
                (length,) = struct.unpack(">I", file.read(4))
                assert file.read(2 * length).decode("utf-16-be") == f"{one.name}\0"
    assert file.read() == b""
