"""The generators of SPADE, OASIS and pix2pixHD at their published widths, restated from the papers; for time.

    python -m benchmarks.landscape_peers [--size 256] [--rounds 3] [--compile]

Random weights; spectral norm is folded into the weights, as one does before serving. Prints JSON: seconds per
image of each generator in each form, every round.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import time
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

NUM_LABELS = 13
WIDTH = 64  # "ngf" of all three


class Spade(nn.Module):
    """Spatially-adaptive normalisation (Park et al. 2019): scale and shift from the label map, 128 hidden."""

    def __init__(self, channels: int, map_channels: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels, affine=False)
        self.shared = nn.Conv2d(map_channels, 128, 3, padding=1)
        self.gamma = nn.Conv2d(128, channels, 3, padding=1)
        self.beta = nn.Conv2d(128, channels, 3, padding=1)

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        hidden = functional.relu(self.shared(functional.interpolate(labels, size=x.shape[2:])))
        shifted: Tensor = self.norm(x) * (1 + self.gamma(hidden)) + self.beta(hidden)
        return shifted


class SpadeBlock(nn.Module):
    """Two SPADE-normalised convolutions and a shortcut, which is learned where the width changes."""

    def __init__(self, channels_in: int, channels_out: int, map_channels: int) -> None:
        super().__init__()
        middle = min(channels_in, channels_out)
        self.norms = nn.ModuleList([Spade(channels_in, map_channels), Spade(middle, map_channels)])
        self.convs = nn.ModuleList(
            [nn.Conv2d(channels_in, middle, 3, padding=1), nn.Conv2d(middle, channels_out, 3, padding=1)]
        )
        self.shortcut: nn.ModuleList | None = None
        if channels_in != channels_out:
            conv = nn.Conv2d(channels_in, channels_out, 1, bias=False)
            self.shortcut = nn.ModuleList([Spade(channels_in, map_channels), conv])

    def forward(self, x: Tensor, labels: Tensor) -> Tensor:
        way = x if self.shortcut is None else self.shortcut[1](self.shortcut[0](x, labels))
        for norm, conv in zip(self.norms, self.convs, strict=True):
            x = conv(functional.leaky_relu(norm(x, labels), 0.2))
        return way + x


class SpadeGenerator(nn.Module):
    """SPADE's ("normal" upsampling, no encoder) and OASIS's, which differ in one block and the 3-D noise."""

    def __init__(self, widths: tuple[int, ...], doublings: tuple[bool, ...], noise_channels: int = 0) -> None:
        super().__init__()
        map_channels = NUM_LABELS + noise_channels
        self._noise_channels = noise_channels
        self._doublings = doublings  # before each block
        self.first = nn.Conv2d(map_channels, widths[0] * WIDTH, 3, padding=1)
        pairs = itertools.pairwise(widths)
        self.blocks = nn.ModuleList([SpadeBlock(a * WIDTH, b * WIDTH, map_channels) for a, b in pairs])
        self.last = nn.Conv2d(widths[-1] * WIDTH, 3, 3, padding=1)

    def forward(self, labels: Tensor) -> Tensor:
        if self._noise_channels:
            noise = torch.randn(
                labels.shape[0], self._noise_channels, 1, 1, dtype=labels.dtype, device=labels.device
            )
            labels = torch.cat([noise.expand(-1, -1, *labels.shape[2:]), labels], 1)
        start = labels.shape[2] // 2 ** sum(self._doublings)
        x = self.first(functional.interpolate(labels, size=(start, start)))
        for doubles, block in zip(self._doublings, self.blocks, strict=True):
            x = functional.interpolate(x, scale_factor=2.0) if doubles else x
            x = block(x, labels)
        return torch.tanh(self.last(functional.leaky_relu(x, 0.2)))


class ResidualBlock(nn.Module):
    """pix2pixHD's: two 3×3 convolutions under instance norm, padded by reflection."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels)]
        again = [nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels)]
        self.body = nn.Sequential(*half, nn.ReLU(), *again)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.body(x)
        return out


def make_pix2pix_hd() -> nn.Module:
    """The global generator (Wang et al. 2018): four halvings, nine residual blocks, four doublings."""
    layers: list[nn.Module] = [nn.ReflectionPad2d(3), nn.Conv2d(NUM_LABELS, WIDTH, 7)]
    layers += [nn.InstanceNorm2d(WIDTH), nn.ReLU()]
    for level in range(4):
        channels = WIDTH * 2**level
        layers += [nn.Conv2d(channels, 2 * channels, 3, stride=2, padding=1)]
        layers += [nn.InstanceNorm2d(2 * channels), nn.ReLU()]
    layers += [ResidualBlock(16 * WIDTH) for _ in range(9)]
    for level in reversed(range(4)):
        channels = WIDTH * 2**level
        layers += [nn.ConvTranspose2d(2 * channels, channels, 3, stride=2, padding=1, output_padding=1)]
        layers += [nn.InstanceNorm2d(channels), nn.ReLU()]
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(WIDTH, 3, 7), nn.Tanh())


def make_spade() -> nn.Module:
    """Park et al. 2019, for 256×256: seven blocks from 1/32 of the size."""
    return SpadeGenerator((16, 16, 16, 16, 8, 4, 2, 1), (False, True, False, True, True, True, True))


def make_oasis() -> nn.Module:
    """Schönfeld et al. 2021: six blocks, and 64 channels of noise beside the labels."""
    return SpadeGenerator((16, 16, 16, 8, 4, 2, 1), (False, True, True, True, True, True), noise_channels=64)


GENERATORS: dict[str, Callable[[], nn.Module]] = {
    "SPADE": make_spade,
    "OASIS": make_oasis,
    "pix2pixHD": make_pix2pix_hd,
}


DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
TRIAL_SIZE, TRIAL_FACTOR = 64, 2.0  # bfloat16 that much slower than float32 is not timed further


def make(name: str, dtype: torch.dtype) -> nn.Module:
    """A generator as one would serve it."""
    network = GENERATORS[name]().eval().requires_grad_(requires_grad=False).to(dtype)
    return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload, no-any-return]


def worthwhile_types(name: str, size: int) -> list[str]:
    """Without instructions for bfloat16 its convolutions take minutes: a small picture is tried first."""
    networks = {form: make(name, dtype) for form, dtype in DTYPES.items()}
    for form, network in networks.items():
        time_forward(network, DTYPES[form], TRIAL_SIZE)  # allocations
    for side in (TRIAL_SIZE, size):
        seconds = {form: time_forward(network, DTYPES[form], side) for form, network in networks.items()}
        if seconds["bfloat16"] > TRIAL_FACTOR * seconds["float32"]:
            return ["float32"]
    return list(DTYPES)


@torch.inference_mode()
def time_forward(network: nn.Module, dtype: torch.dtype, size: int) -> float:
    """Seconds of one forward of one image."""
    ids = (
        torch.randint(NUM_LABELS, (1, size // 16, size // 16))
        .repeat_interleave(16, 1)
        .repeat_interleave(16, 2)
    )
    labels = functional.one_hot(ids, NUM_LABELS).permute(0, 3, 1, 2).to(dtype)
    labels = labels.contiguous(memory_format=torch.channels_last)
    began = time.perf_counter()
    network(labels)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, nargs="+", default=[256])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--compile", action="store_true", help="time compiled forms, too; needs a C++ compiler"
    )
    args = parser.parse_args()
    with_compiled = args.compile and shutil.which("c++") is not None
    found: dict[str, dict[str, list[float]]] = {
        f"{name} {size}": {} for name in GENERATORS for size in args.size
    }
    for name in GENERATORS:
        for form in worthwhile_types(name, max(args.size)):
            network, dtype = make(name, DTYPES[form]), DTYPES[form]
            forms = {form: network}
            if with_compiled:
                forms[f"{form} compiled"] = torch.compile(network, dynamic=False, options={"freezing": True})  # type: ignore[assignment]
            for (one, runnable), size in itertools.product(forms.items(), args.size):
                time_forward(runnable, dtype, size)  # allocations, compilation
                times = [time_forward(runnable, dtype, size) for _ in range(args.rounds)]
                found[f"{name} {size}"][one] = times
    print(json.dumps(found))


if __name__ == "__main__":
    main()
