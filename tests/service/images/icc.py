"""ICC profiles (version 2, ICC.1:2001-04) to put into test pictures."""

from __future__ import annotations

import itertools
import struct

import numpy as np
from numpy.typing import NDArray

# Adobe RGB (1998), adapted to D50: columns of X, Y, Z for red, green, blue
ADOBE_RGB = np.array([[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]])
ADOBE_GAMMA = 563 / 256
_SRGB = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)
_D50 = (0.9642, 1.0, 0.8249)


def adobe_rgb_profile() -> bytes:
    tags = {
        name: _xyz(*column) for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), ADOBE_RGB.T, strict=True)
    }
    curve = b"curv" + bytes(4) + struct.pack(">IHxx", 1, round(ADOBE_GAMMA * 256))
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    return _profile(b"mntr", b"RGB ", b"XYZ ", tags)


def to_adobe_rgb(srgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The values that an Adobe RGB file has for sRGB colours ``(..., 3)``."""
    wide = _linear(srgb) @ (np.linalg.inv(ADOBE_RGB) @ _SRGB).T
    values: NDArray[np.uint8] = np.round(wide.clip(0, 1) ** (1 / ADOBE_GAMMA) * 255).astype(np.uint8)
    return values


def to_lab(srgb: NDArray[np.uint8]) -> tuple[float, float, float]:
    """CIE Lab as profiles have it, under D50, of one sRGB colour ``(3,)``."""
    x, y, z = np.cbrt(_SRGB @ _linear(srgb) / _D50)  # of no colour that is nearly black
    return float(116 * y - 16), float(500 * (x - y)), float(200 * (y - z))


def _linear(srgb: NDArray[np.uint8]) -> NDArray[np.float64]:
    scaled = srgb / 255
    return np.where(scaled <= 0.04045, scaled / 12.92, ((scaled + 0.055) / 1.055) ** 2.4)


def cmyk_profile(cyan_is: tuple[float, float, float]) -> bytes:
    """A profile of a press whose cyan ink has this CIE Lab colour; its magenta and yellow are pale greys."""
    corners = []
    for cyan, magenta, yellow, black in itertools.product((0, 1), repeat=4):
        light = 0.0 if black else 100 - 10 * magenta - 10 * yellow
        lab = cyan_is if cyan and not black else (light, 0.0, 0.0)
        corners.append((round(lab[0] * 2.55), round(lab[1]) + 128, round(lab[2]) + 128))
    identity = bytes(range(256))
    table = b"mft1" + bytes(4) + bytes((4, 3, 2, 0))
    table += struct.pack(">9i", *(np.eye(3, dtype=int).ravel() * 65536))
    table += 4 * identity + b"".join(bytes(corner) for corner in corners) + 3 * identity
    return _profile(b"prtr", b"CMYK", b"Lab ", {b"A2B0": table, b"A2B1": table})


def _xyz(x: float, y: float, z: float) -> bytes:
    return b"XYZ " + bytes(4) + _fixed(x, y, z)


def _fixed(*numbers: float) -> bytes:
    return struct.pack(f">{len(numbers)}i", *(round(number * 65536) for number in numbers))


def _profile(kind: bytes, space: bytes, between: bytes, tags: dict[bytes, bytes]) -> bytes:
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"test\0" + bytes(79),
        b"wtpt": _xyz(*_D50),
        **tags,
    }
    offset, table, body = 128 + 4 + 12 * len(tags), b"", b""
    for name, data in tags.items():
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">4xI4s4s4s", 0x02400000, kind, space, between) + bytes(12) + b"acsp" + bytes(28)
    head += _fixed(*_D50) + bytes(48)
    return struct.pack(">I", offset + len(body)) + head + struct.pack(">I", len(tags)) + table + body
