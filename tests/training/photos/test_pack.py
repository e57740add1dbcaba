"""Packs: what was written comes back, foreign files are refused."""

from pathlib import Path

import numpy as np
import pytest

from training.photos.errors import DataError
from training.photos.pack import read_packs, write_pack
from training.photos.photo_set import PhotoSet
from training.photos.repack import main as repack


def make_set(count: int, seed: int, chances: bool = True) -> PhotoSet:
    draw = np.random.default_rng(seed)
    photos = np.kron(draw.integers(0, 256, (count, 4, 4, 3)), np.ones((1, 8, 8, 1))).astype(np.uint8)
    maps = draw.integers(0, 255, (count, 32, 32), dtype=np.uint8)
    names = tuple(f"{seed}-{number}.jpg" for number in range(count))
    return PhotoSet(names, photos, maps, draw.random(count) if chances else None)


def test_packs_come_back_one_after_the_other(tmp_path: Path) -> None:
    first, second = make_set(3, 1), make_set(2, 2)
    for number, data in enumerate((first, second)):
        write_pack(data, tmp_path / f"{number}.pack")
    found = read_packs([tmp_path / "0.pack", tmp_path / "1.pack"])
    assert found.names == first.names + second.names
    assert np.array_equal(found.maps, np.concatenate([first.maps, second.maps]))
    assert found.chances is not None
    np.testing.assert_allclose(found.chances, np.concatenate([first.chances, second.chances]))
    apart = np.abs(found.photos.astype(int) - np.concatenate([first.photos, second.photos]))
    assert apart.mean() < 12  # WebP, on hard squares


def test_equal_sets_give_equal_bytes(tmp_path: Path) -> None:
    write_pack(make_set(2, 1), tmp_path / "a.pack")
    write_pack(make_set(2, 1), tmp_path / "b.pack")
    assert (tmp_path / "a.pack").read_bytes() == (tmp_path / "b.pack").read_bytes()


def test_chances_are_all_or_none(tmp_path: Path) -> None:
    write_pack(make_set(2, 1), tmp_path / "a.pack")
    write_pack(make_set(2, 2, chances=False), tmp_path / "b.pack")
    assert read_packs([tmp_path / "b.pack"]).chances is None
    with pytest.raises(ValueError, match="chances"):
        read_packs([tmp_path / "a.pack", tmp_path / "b.pack"])


@pytest.mark.parametrize("content", [b"", b"not a zip", b"PK\x05\x06" + 18 * b"\0"])
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "x.pack").write_bytes(content)
    with pytest.raises(DataError, match="not a pack"):
        read_packs([tmp_path / "x.pack"])


def test_a_pack_travels_in_smaller_parts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = make_set(5, 1)
    write_pack(data, tmp_path / "whole.pack")
    repack([str(tmp_path / "whole.pack"), f"--out={tmp_path / 'parts'}", "--quality=20", "--parts=2"])
    parts = sorted((tmp_path / "parts").iterdir())
    assert [path.name for path in parts] == ["photos-0.pack", "photos-1.pack"]
    assert "photos-1.pack: 2 photos" in capsys.readouterr().out
    found = read_packs(parts)
    assert found.names == tuple(data.names[row] for row in (0, 2, 4, 1, 3))
    assert np.array_equal(found.maps, data.maps[[0, 2, 4, 1, 3]])
    repack([str(tmp_path / "whole.pack"), f"--out={tmp_path / 'large'}", "--parts=2"])
    small, large = (
        [path.stat().st_size for path in (tmp_path / kind).iterdir()] for kind in ("parts", "large")
    )
    assert sum(small) < sum(large)
    for wrong, said in ((["--quality=101"], "at most 100"), ([], "not a pack")):
        (tmp_path / "x.pack").write_bytes(b"")
        with pytest.raises(SystemExit) as refused:
            repack([str(tmp_path / "x.pack"), f"--out={tmp_path}", *wrong])
        assert said in f"{refused.value}{capsys.readouterr().err}"
