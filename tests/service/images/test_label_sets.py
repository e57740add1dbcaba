"""The tables of others' label sets, against what is known of them elsewhere."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from models.landscape.cie_lab import rgb_to_lab
from models.landscape.palette import CLASS_NAMES, NUM_CLASSES, SIFTFLOW, UNLABELLED, source_table
from service.images import label_sets
from service.images.label_map import HOLE
from service.images.label_sets import (
    FOREIGN_SETS,
    NOT_LABELLED,
    OWN_SET,
    UNKNOWN,
    ForeignSet,
    LabelSet,
    foreign_set,
)

FOLDER = Path(label_sets.__file__).parent / "palettes"


def rows(name: str) -> list[dict[str, str]]:
    with (FOLDER / f"{name}.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def class_of(labels: LabelSet, number: int) -> str | None:
    found = int(labels.class_of_id[number])
    assert found != UNKNOWN
    return None if found == HOLE else CLASS_NAMES[found]


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("ade20k", range(1, 151)),
        ("cocostuff", range(182)),
        ("gaugan", range(182)),
        ("siftflow", range(1, 34)),
    ],
)
def test_a_table_has_every_id_once_and_nothing_else(name: ForeignSet, ids: range) -> None:
    assert [int(row["id"]) for row in rows(name)] == list(ids)
    assert all(row["class"] in ("", *CLASS_NAMES) for row in rows(name))
    known = np.flatnonzero(foreign_set(name).class_of_id != UNKNOWN)
    assert set(known.tolist()) == {*ids, NOT_LABELLED[name]}
    assert class_of(foreign_set(name), NOT_LABELLED[name]) is None


@pytest.mark.parametrize(
    ("name", "number", "color", "ours"),
    [  # from pictures and programs of these projects
        ("ade20k", 3, "#06e6e6", "sky"),
        ("ade20k", 5, "#04c803", "tree"),
        ("ade20k", 13, "#96053d", None),  # person
        ("ade20k", 17, "#8fff8c", "mountain"),
        ("ade20k", 27, "#0907e6", "sea"),
        ("ade20k", 114, "#00e0ff", "waterfall"),
        ("cocostuff", 105, "#c06000", "cloud"),
        ("cocostuff", 156, "#40e040", "sky"),
        ("cocostuff", 0, "#00c040", None),  # person
        ("gaugan", 105, "#696969", "cloud"),
        ("gaugan", 154, "#9ac6da", "sea"),
        ("gaugan", 156, "#9ceedd", "sky"),
        ("gaugan", 158, "#9e9eaa", "snow"),
        ("gaugan", 168, "#a8c832", "tree"),
    ],
)
def test_well_known_entries(name: ForeignSet, number: int, color: str, ours: str | None) -> None:
    assert class_of(foreign_set(name), number) == ours
    assert next(row["color"] for row in rows(name) if int(row["id"]) == number) == color


def test_siftflow_is_as_the_training_data_has_it() -> None:
    names = tuple(row["name"] for row in rows("siftflow"))
    of_data = source_table(SIFTFLOW, names)
    table = foreign_set("siftflow").class_of_id[1:34]
    np.testing.assert_array_equal(table, np.where(of_data == UNLABELLED, HOLE, of_data))
    assert foreign_set("siftflow").colors is None


@pytest.mark.parametrize("name", [one for one in FOREIGN_SETS if one != "siftflow"])
def test_a_colour_is_its_class_and_of_two_the_one_that_is_ours(name: ForeignSet) -> None:
    table = foreign_set(name).colors
    assert table is not None
    known: dict[str, set[str]] = {}
    for row in rows(name):
        if row["color"]:
            known.setdefault(row["color"], set()).add(row["class"])
    for color, classes in known.items():
        red, green, blue = bytes.fromhex(color[1:])
        code = table.match(np.array([red | green << 8 | blue << 16], np.uint32))
        found = int(table.class_of_code[code][0])
        assert (CLASS_NAMES[found] if found != HOLE else "") in (classes - {""} or {""}), color


def test_gaugan_has_its_ids_in_its_reds() -> None:
    for row in rows("gaugan"):
        assert int(row["color"][1:3], 16) == int(row["id"])


def test_gaugan_numbers_as_cocostuff_does() -> None:
    np.testing.assert_array_equal(foreign_set("gaugan").class_of_id, foreign_set("cocostuff").class_of_id)


def test_our_ids_are_the_palettes() -> None:
    known = np.flatnonzero(OWN_SET.class_of_id != UNKNOWN)
    np.testing.assert_array_equal(known, [*range(NUM_CLASSES), UNLABELLED])
    np.testing.assert_array_equal(OWN_SET.class_of_id[:NUM_CLASSES], np.arange(NUM_CLASSES))
    assert OWN_SET.class_of_id[UNLABELLED] == HOLE


def test_no_set_has_a_colour_that_is_surely_another_class_of_ours() -> None:
    """Of those that are a landscape's: else a map of theirs could be taken for ours pixel by pixel."""
    own = OWN_SET.colors
    assert own is not None
    for name in ("ade20k", "cocostuff", "gaugan"):
        for row in rows(name):
            if not row["color"] or row["class"] in ("", "building"):
                continue
            rgb = np.array([[*bytes.fromhex(row["color"][1:])]], np.uint8)
            distance = np.linalg.norm(rgb_to_lab(rgb) - own.lab, axis=1)
            nearest = CLASS_NAMES[own.classes[distance.argmin()]]
            assert distance.min() > 3 or nearest == row["class"], row
