"""Strong augmentation for few labelled photos: zoomed crops, mirrors, colours, mixed rectangles."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from models.landscape.palette import UNLABELLED
from training.segmenter.settings import LabellerSettings

MAX_TURN = 0.15  # radians
MAX_SHEAR = 0.1
COLOUR_GAIN = 0.25  # each colour's gain is within 1 ± this
GAMMA = (0.6, 1.6)
GREY_SHARE = 0.1


def augment(
    photos: Tensor, labels: Tensor, settings: LabellerSettings, draws: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Turn (B, 3, L, L) photos in [0, 1] and (B, L, L) int64 labels into training examples.

    Returns:
        pictures (B, 3, S, S) in [-1, 1], S = image_size, and labels (B, S, S), UNLABELLED outside the photo.
    """
    photos, labels = crop(photos, labels, settings, draws)
    pictures = shift_colours(photos, draws) * 2 - 1
    if _random(1, draws).item() < settings.mix_share:
        pictures, labels = mix_rectangles(pictures, labels, draws)
    return pictures, labels


def crop(
    photos: Tensor, labels: Tensor, settings: LabellerSettings, draws: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Zoom, shift, turn and mirror each photo, resampled at the size of training."""
    count, size = len(photos), settings.image_size
    low, high = math.log(settings.min_zoom), math.log(settings.max_zoom)
    scale = torch.exp(-(low + (high - low) * _random(count, draws)))  # half-width of the window
    stretch = torch.exp(0.3 * (_random(count, draws) - 0.5))
    mirror = torch.where(_random(count, draws) < 0.5, 1.0, -1.0)
    turn, shear = MAX_TURN * _signed(count, draws), MAX_SHEAR * _signed(count, draws)
    room = (1 - scale).abs()
    x, y = room * _signed(count, draws), room * _signed(count, draws)
    rows = [
        torch.stack([mirror * scale * stretch * turn.cos(), scale * (shear - turn.sin()), x], dim=1),
        torch.stack([mirror * scale * turn.sin(), scale / stretch * turn.cos(), y], dim=1),
    ]
    where = torch.stack(rows, dim=1).to(photos.device)
    grid = F.affine_grid(where, [count, 3, size, size], align_corners=False)
    cropped = F.grid_sample(photos - 0.5, grid, mode="bilinear", align_corners=False) + 0.5
    # Shifted by one so that what lies outside, filled with zeros, can be told from class 0.
    shifted = torch.where(labels == UNLABELLED, 0, labels + 1).float().unsqueeze(1)
    picked = F.grid_sample(shifted, grid, mode="nearest", align_corners=False).squeeze(1).long()
    return cropped, torch.where(picked == 0, UNLABELLED, picked - 1)


def shift_colours(photos: Tensor, draws: torch.Generator) -> Tensor:
    """Change gamma, colour gains and saturation; some become grey."""
    count = len(photos)
    device = photos.device
    gamma = torch.exp(torch.log(torch.tensor(GAMMA)).diff() * _random(count, draws) + math.log(GAMMA[0]))
    photos = photos.clamp(1e-3, 1) ** gamma.view(-1, 1, 1, 1).to(device)
    gains = 1 + COLOUR_GAIN * (2 * torch.rand((count, 3, 1, 1), generator=draws) - 1)
    photos = photos * gains.to(device)
    colourful = torch.where(_random(count, draws) < GREY_SHARE, 0.0, 0.5 + _random(count, draws))
    grey = photos.mean(dim=1, keepdim=True)
    return (grey + (photos - grey) * colourful.view(-1, 1, 1, 1).to(device)).clamp(0, 1)


def mix_rectangles(pictures: Tensor, labels: Tensor, draws: torch.Generator) -> tuple[Tensor, Tensor]:
    """CutMix: one rectangle of each picture comes from its neighbour in the batch."""
    size = pictures.shape[-1]
    share = 0.3 + 0.4 * _random(2, draws)
    height, width = (share * size).long().tolist()
    top, left = (_random(2, draws) * torch.tensor([size - height, size - width])).long().tolist()
    place = (..., slice(top, top + height), slice(left, left + width))
    pictures, labels = pictures.clone(), labels.clone()
    pictures[place], labels[place] = pictures.roll(1, 0)[place], labels.roll(1, 0)[place]
    return pictures, labels


def _random(count: int, draws: torch.Generator) -> Tensor:
    return torch.rand(count, generator=draws)


def _signed(count: int, draws: torch.Generator) -> Tensor:
    return 2 * _random(count, draws) - 1
