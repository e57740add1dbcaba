"""Colours as their file means them: an embedded ICC profile's → sRGB, which palette and models know."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageCms

_SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
_INTENT = ImageCms.Intent.RELATIVE_COLORIMETRIC
_BLACK = ImageCms.Flags.BLACKPOINTCOMPENSATION
_STEPS = np.arange(0, 256, 17, dtype=np.uint8)
_SAMPLES = np.stack(np.meshgrid(_STEPS, _STEPS, _STEPS), axis=-1).reshape(64, 64, 3)
_ROUNDING = 2  # of 255: what a transform from sRGB to sRGB may differ by


def to_srgb(image: Image.Image) -> Image.Image:
    """The picture in sRGB: RGB or RGBA where its profile was followed, else as it came.

    A profile that is damaged, or of other inks than the picture's, says nothing about the pixels.
    """
    data = image.info.get("icc_profile")
    if not data:
        return image
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        space = profile.profile.xcolor_space.strip()
        if image.mode == "CMYK":
            return _transform(profile, "CMYK", "RGB").apply(image) if space == "CMYK" else image
        if space != "RGB" or _is_srgb(profile):
            return image
        image = image if image.mode in ("RGB", "RGBA") else image.convert("RGBA")
        return _transform(profile, image.mode, image.mode).apply(image)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


def _transform(profile: ImageCms.ImageCmsProfile, before: str, after: str) -> ImageCms.ImageCmsTransform:
    return ImageCms.ImageCmsTransform(profile, _SRGB, before, after, _INTENT, flags=_BLACK)


def _is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    """Many programs embed it. Then exact colours stay exact, and large sketches take half the time."""
    seen = np.asarray(_transform(profile, "RGB", "RGB").apply(Image.fromarray(_SAMPLES)))
    return int(np.abs(seen.astype(np.int16) - _SAMPLES).max()) <= _ROUNDING
