"""The palette as files for other programs: Photoshop's swatches (ACO), and GIMP's, which Krita reads, too."""

from __future__ import annotations

import struct
from typing import Final

from models.landscape.palette import PALETTE

NAME: Final = "Prospero"
PALETTE_TYPES: Final = {
    "aco": "application/octet-stream",  # none is registered
    "gpl": "text/plain; charset=utf-8",
}
_RGB: Final = 0  # ACO's colour space of four 16-bit numbers: red, green, blue, unused


def palette_file(file_format: str) -> bytes:
    """One of `PALETTE_TYPES`: today's colours in the order of the classes, each with its class's name."""
    return _aco() if file_format == "aco" else _gpl()


def _aco() -> bytes:
    """Both versions, one after the other, as Adobe asks: the second has names. Big-endian.

    Source: Adobe Photoshop File Formats Specification, "Color Swatches".
    """
    first, second = struct.pack(">HH", 1, len(PALETTE)), struct.pack(">HH", 2, len(PALETTE))
    for one in PALETTE:
        red, green, blue = (channel * 257 for channel in bytes.fromhex(one.color[1:]))
        color = struct.pack(">5H", _RGB, red, green, blue, 0)
        name = f"{one.name}\0".encode("utf-16-be")
        first += color
        second += color + struct.pack(">I", len(name) // 2) + name
    return first + second


def _gpl() -> bytes:
    rows = []
    for one in PALETTE:
        red, green, blue = bytes.fromhex(one.color[1:])
        rows.append(f"{red:3d} {green:3d} {blue:3d}\t{one.name}")
    return "\n".join(["GIMP Palette", f"Name: {NAME}", "Columns: 4", "#", *rows, ""]).encode()
