"""Colours in CIE Lab, where distances are about as large as they style. No torch."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# sRGB (D65) → XYZ relative to the white point, so that white is (1, 1, 1): IEC 61966-2-1 and CIE 15
_RGB_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_RGB_TO_XYZ = (_RGB_TO_XYZ / _RGB_TO_XYZ.sum(axis=1, keepdims=True)).astype(np.float32)
_CHANNEL = np.arange(256) / 255.0
_LINEAR = np.where(_CHANNEL <= 0.04045, _CHANNEL / 12.92, ((_CHANNEL + 0.055) / 1.055) ** 2.4).astype(
    np.float32
)


def rgb_to_lab(rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
    """sRGB ``(..., 3)`` → CIE Lab ``(..., 3)`` under D65: L in 0..100, a and b about -128..127."""
    xyz = _LINEAR[rgb] @ _RGB_TO_XYZ.T
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    x, y, z = f[..., 0], f[..., 1], f[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)
