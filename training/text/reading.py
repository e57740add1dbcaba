"""Reading text for training: a file, a URL, or all texts of a folder."""

from __future__ import annotations

import hashlib
from pathlib import Path
from urllib.parse import urlparse

from training.download import fetch, is_url
from training.errors import TrainingError
from training.skipped import is_hidden, tell_skipped

TINY_SHAKESPEARE_URL = (
    "https://raw.githubusercontent.com/karpathy/char-rnn/master/data/tinyshakespeare/input.txt"
)
TINY_SHAKESPEARE_SHA256 = "86c4e6aa9db7c042ec79f339dcb96d42b0075e16b8fc2e86bf0ca57e2dc565ed"
TINY_SHAKESPEARE = "Tiny Shakespeare"
DOWNLOADS = Path("data")
TEXT_SUFFIXES = (".txt", ".md")


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
    if text.isspace() or not text:
        raise TrainingError(f"{source}: has no text")
    return text


def _read_folder(root: Path) -> str:
    """Every text in a folder, one behind the other; hidden files and folders are nobody's texts."""
    found = [path for path in root.rglob("*") if path.is_file()]
    paths = sorted(path for path in found if not is_hidden(path.relative_to(root)))
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
    tell_skipped(root, len(texts), skipped)
    return "\n".join(texts)


def place_of(url: str) -> Path:
    """Where a download is kept: of any two URLs in two places, whatever their files are called."""
    if url == TINY_SHAKESPEARE_URL:
        return DOWNLOADS / "tinyshakespeare" / "input.txt"
    name = Path(urlparse(url).path).name or "text.txt"
    return DOWNLOADS / "downloads" / hashlib.sha256(url.encode()).hexdigest()[:12] / name


def _read_file(path: Path) -> str:
    try:
        # Not read_text, which holds a long text twice while it looks for other systems' line ends.
        text = path.read_bytes().decode("utf-8-sig")
        return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text
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
