"""Text for training: reading it, splitting it, and drawing batches of windows.

Splits, by characters: the last 10 % validate a release; choices are made on the last 5 % of the rest ("dev").
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import urlparse

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.download import fetch, is_url
from training.errors import TrainingError
from training.text.settings import TextSettings

TINY_SHAKESPEARE_URL = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
)
TINY_SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
TINY_SHAKESPEARE = "Tiny Shakespeare"
DOWNLOADS = Path("data")
TEXT_SUFFIXES = (".txt", ".md")
MAX_LISTED = 10  # files that are skipped

Tokens = NDArray[np.int64]


def read_text(source: str, sha256: str | None = None) -> str:
    """Read a UTF-8 file, a URL, or what a folder holds of texts: .txt and .md in the order of their names.

    A folder's subfolders are read, too. What is left out of it is listed on stderr.

    Raises:
        TrainingError: nothing there, nothing in it, or a file that is not UTF-8.
    """
    if is_url(source):
        expected = TINY_SHAKESPEARE_SHA256 if source == TINY_SHAKESPEARE_URL else sha256
        text = _read_file(fetch(source, place_of(source), expected))
    else:
        text = _read_folder(Path(source)) if Path(source).is_dir() else _read_file(Path(source))
    if not text.strip():
        raise TrainingError(f"{source}: has no text")
    return text


def _read_folder(root: Path) -> str:
    """Every text in a folder, one behind the other; hidden files and folders are nobody's texts."""
    found = [path for path in root.rglob("*") if path.is_file()]
    paths = sorted(path for path in found if not _is_hidden(path.relative_to(root)))
    texts, skipped = list[str](), list[str]()
    for path in paths:
        name = path.relative_to(root).as_posix()
        if path.suffix.lower() not in TEXT_SUFFIXES:
            skipped.append(name)
            continue
        try:
            texts.append(_read_file(path))
        except TrainingError as error:
            skipped.append(str(error).replace(str(path), name))
    if not texts:
        raise TrainingError(f"{root}: the folder has no text ({' or '.join(TEXT_SUFFIXES)}, in UTF-8)")
    if skipped:
        listed = [
            *skipped[:MAX_LISTED],
            *([f"and {len(skipped) - MAX_LISTED} more"] if skipped[MAX_LISTED:] else []),
        ]
        print(
            f"{root}: read {len(texts)} files, skipped {len(skipped)}: {', '.join(listed)}", file=sys.stderr
        )
    return "\n".join(texts)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def place_of(url: str) -> Path:
    """Where a download is kept: of any two URLs in two places, whatever their files are called."""
    if url == TINY_SHAKESPEARE_URL:
        return DOWNLOADS / "tinyshakespeare" / "input.txt"
    name = Path(urlparse(url).path).name or "text.txt"
    return DOWNLOADS / "downloads" / hashlib.sha256(url.encode()).hexdigest()[:12] / name


def _read_file(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise TrainingError(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise TrainingError(f"{path}: not UTF-8 (byte {error.start} is {byte:#04x})") from None


def name_text(source: str, sha256: str) -> str:
    """What papers call the text: never the path that it was read from."""
    if sha256 == TINY_SHAKESPEARE_SHA256:
        return TINY_SHAKESPEARE
    return source if is_url(source) else Path(source).resolve().name


@dataclass(frozen=True)
class Corpus:
    """A text with its name, in its two parts."""

    name: str
    sha256: str  # of the whole text
    training: str
    validation: str

    @property
    def described(self) -> str:
        return f"{self.name}, its first {len(self.training):,} characters"


def read_corpus(source: str, sha256: str | None, split: Literal["dev", "release"]) -> Corpus:
    """Read and split a text; TrainingError where it can't be read or has too few characters."""
    text = read_text(source, sha256)
    training, validation = split_text(text, split)
    if not validation:
        raise TrainingError(f"{source}: {len(text)} characters are too few to split")
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return Corpus(name_text(source, sha256), sha256, training, validation)


def split_text(text: str, split: Literal["dev", "release"]) -> tuple[str, str]:
    """Return (training text, validation text)."""
    border = int(len(text) * 0.9)
    if split == "release":
        return text[:border], text[border:]
    dev_border = int(border * 0.95)
    return text[:dev_border], text[dev_border:border]


@dataclass
class Batches:
    """Endless batches: each epoch cuts the text at other places into windows and shuffles them.

    Where it stands is `epoch` and `place`, so that a resumed run goes on with the same windows.

    Args:
        tokens_of: the training text's tokens in a given epoch (under renaming or BPE dropout they differ).
        echo: what happens to the windows (batch, context + 1) of a given step; None: nothing.
    """

    tokens_of: Callable[[int], Tokens]
    settings: TextSettings
    echo: Callable[[Tokens, int], Tokens] | None = None
    epoch: int = 0
    place: int = 0  # batches of this epoch already given
    _tokens: Tokens = field(init=False)
    _starts: Tokens = field(init=False)
    _cut: tuple[int, int] | None = field(default=None, init=False)  # epoch and context of the above

    def draw(self, step: int) -> Tensor:
        """The windows of `step` (0 is the first), (batch, context + 1); shorter where `echo` cuts them."""
        context = self.settings.context_at(step)
        batch = self.settings.batch * self.settings.max_seq_len // context
        self._cut_windows(context)
        if (self.place + 1) * batch > len(self._starts):
            self.epoch, self.place = self.epoch + 1, 0
            self._cut_windows(context)
        chosen = self._starts[self.place * batch : (self.place + 1) * batch]
        self.place += 1
        windows = self._tokens[chosen[:, None] + np.arange(context + 1)]
        return torch.from_numpy(self.echo(windows, step) if self.echo else windows)

    def _cut_windows(self, context: int) -> None:
        """Find this epoch's tokens and the starts of its windows, shuffled, unless they are known."""
        if self._cut == (self.epoch, context):
            return
        tokens = self.tokens_of(self.epoch)
        longest, fewest = self.settings.max_seq_len, self.settings.batch
        num_needed = longest * (fewest + 1) + 1
        if len(tokens) < num_needed:
            raise TrainingError(
                f"the training text has {len(tokens)} tokens, too few: "
                f"batches of {fewest} windows of {longest} need {num_needed}"
            )
        random = np.random.default_rng((self.settings.seed, self.epoch))
        offset = int(random.integers(context))
        starts = np.arange(offset, len(tokens) - context, context)
        self._tokens, self._starts = tokens, random.permutation(starts)
        self._cut = self.epoch, context
