"""`POST /generate/landscape`: every body form and every form of answer, with the bundled checkpoint."""

from __future__ import annotations

import base64
import io
import json
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from harness.server import Server
from models.landscape.palette import PALETTE, rgb_array


@pytest.fixture(scope="module")
def gan(bundled: Server) -> Iterator[httpx.Client]:
    with bundled.client() as client:
        yield client


def class_id(name: str) -> int:
    return next(one.id for one in PALETTE if one.name == name)


def sky_over_sea(width: int = 200, height: int = 120, file_format: str = "PNG") -> bytes:
    pixels = np.empty((height, width, 3), np.uint8)
    pixels[: height // 2] = rgb_array()[class_id("sky")]
    pixels[height // 2 :] = rgb_array()[class_id("sea")]
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, file_format, **({"lossless": True} if file_format == "WEBP" else {}))
    return file.getvalue()


def picture(response: httpx.Response, file_format: str = "PNG") -> Any:
    assert response.status_code == 200, response.text
    image = Image.open(io.BytesIO(response.content))
    assert image.format == file_format
    return np.asarray(image)


def raw(client: httpx.Client, query: str = "seed=5", **headers: str) -> httpx.Response:
    headers = {"content-type": "image/png", **headers}
    return client.post(f"/generate/landscape?{query}", content=sky_over_sea(), headers=headers)


def test_raw_form_and_json_bodies_give_the_same_picture(gan: httpx.Client) -> None:
    sketch = sky_over_sea()
    encoded = base64.b64encode(sketch).decode()
    answers = [
        raw(gan),
        gan.post("/generate/landscape", files={"sketch": sketch}, data={"seed": "5"}),
        gan.post("/generate/landscape", json={"sketch": encoded, "seed": 5}),
        gan.post("/generate/landscape", json={"sketch": f"data:image/png;base64,{encoded}", "seed": 5}),
    ]
    pictures = [picture(answer) for answer in answers]
    assert pictures[0].std() > 5  # not one flat colour
    for other in pictures[1:]:
        np.testing.assert_array_equal(other, pictures[0])


@pytest.mark.parametrize("file_format", ["PNG", "JPEG", "WEBP"])
def test_every_input_format(gan: httpx.Client, file_format: str) -> None:
    media_type = f"image/{file_format.lower()}"
    response = gan.post(
        "/generate/landscape?seed=5",
        content=sky_over_sea(file_format=file_format),
        headers={"content-type": media_type},
    )
    picture(response)
    assert float(response.headers["x-unmatched-fraction"]) < 0.1


def test_headers_of_an_image_answer(gan: httpx.Client) -> None:
    response = raw(gan)
    assert response.headers["x-seed"] == "5"
    assert response.headers["x-unmatched-fraction"] == "0.0000"
    assert response.headers["x-request-id"]
    chosen = raw(gan, query="")
    np.testing.assert_array_equal(picture(raw(gan, f"seed={chosen.headers['x-seed']}")), picture(chosen))


@pytest.mark.parametrize(
    ("width", "height"), [(64, 64), (300, 300), (64, 32), (100, 200), (200, 120), (333, 500), (16, 31)]
)
def test_the_image_has_the_sketchs_shape_and_the_models_size(
    gan: httpx.Client, width: int, height: int
) -> None:
    details = [one["details"] for one in gan.get("/models").json()["models"] if one["kind"] == "landscape"]
    scale = details[0]["image_size"] / max(width, height)
    wanted = round(height * scale), round(width * scale)
    sketch, headers = sky_over_sea(width, height), {"content-type": "image/png"}
    painted = picture(gan.post("/generate/landscape?seed=5", content=sketch, headers=headers))
    assert painted.shape == (*wanted, 3)
    headers["accept"] = "application/json"
    (image,) = gan.post("/generate/landscape?seed=5", content=sketch, headers=headers).json()["images"]
    assert (image["height"], image["width"]) == wanted
    decoded = np.asarray(Image.open(io.BytesIO(base64.b64decode(image["base64"]))))
    np.testing.assert_array_equal(decoded, painted)


@pytest.mark.parametrize(
    ("query", "accept", "file_format"),
    [
        ("", "*/*", "PNG"),
        ("", "image/webp", "WEBP"),
        ("", "image/jpeg, image/png;q=0.5", "JPEG"),
        ("format=jpeg", "image/*", "JPEG"),
        ("format=webp", "image/png", "WEBP"),
        ("", "text/html, image/webp;q=0.9, */*;q=0.1", "WEBP"),
    ],
)
def test_format_decides_over_accept(gan: httpx.Client, query: str, accept: str, file_format: str) -> None:
    picture(raw(gan, query, accept=accept), file_format)


def test_json_answer(gan: httpx.Client) -> None:
    response = raw(gan, "seed=5", accept="application/json")
    body = response.json()
    assert body.keys() == {"id", "model", "unmatched_fraction", "classes", "images"}
    assert body["classes"] == {"sky": 0.5, "sea": 0.5}
    assert body["id"] == response.headers["x-request-id"]
    (image,) = body["images"]
    assert image.keys() == {"index", "seed", "format", "width", "height", "base64"}
    decoded = np.asarray(Image.open(io.BytesIO(base64.b64decode(image["base64"]))))
    np.testing.assert_array_equal(decoded, picture(raw(gan)))


def test_n_images_have_seeds_of_their_own(gan: httpx.Client) -> None:
    images = raw(gan, "seed=5&n=3").json()["images"]
    assert [image["seed"] for image in images] == [5, 6, 7]
    decoded = [np.asarray(Image.open(io.BytesIO(base64.b64decode(image["base64"])))) for image in images]
    for image, pixels in zip(images, decoded, strict=True):
        np.testing.assert_array_equal(picture(raw(gan, f"seed={image['seed']}")), pixels)
    assert np.abs(decoded[0].astype(int) - decoded[1]).mean() > 1  # seeds matter


def test_a_picture_is_the_same_alone_and_among_others(gan: httpx.Client) -> None:
    alone = [picture(raw(gan, f"seed={seed}")) for seed in range(6)]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda seed: picture(raw(gan, f"seed={seed}")), range(6)))
    np.testing.assert_array_equal(together, alone)


def test_pictures_of_other_shapes_are_no_company_that_shows(gan: httpx.Client) -> None:
    sketches = [sky_over_sea(*size) for size in [(64, 64), (64, 32), (64, 32), (40, 64), (64, 50), (64, 64)]]

    def paint(sketch: bytes) -> Any:
        headers = {"content-type": "image/png"}
        return picture(gan.post("/generate/landscape?seed=5", content=sketch, headers=headers))

    alone = [paint(sketch) for sketch in sketches]
    with ThreadPoolExecutor(6) as pool:
        for one, other in zip(pool.map(paint, sketches), alone, strict=True):
            np.testing.assert_array_equal(one, other)


def carried(response: httpx.Response) -> dict[str, Any]:
    """What a PNG carries of its origin; Pillow reads it, and every checksum."""
    image = Image.open(io.BytesIO(response.content))
    image.load()
    assert "Prospero" in image.info, image.info
    found: dict[str, Any] = json.loads(image.info["Prospero"])
    return found


@pytest.mark.parametrize("transparent", [0, 20])
def test_a_picture_that_carries_its_origin_can_be_painted_again(gan: httpx.Client, transparent: int) -> None:
    pixels = np.dstack(
        [np.asarray(Image.open(io.BytesIO(sky_over_sea()))), np.full((120, 200), 255, np.uint8)]
    )
    pixels[:transparent, :50, 3] = 0
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    fields = {"seed": "5", "class_seeds": '{"sky": 9}', "metadata": "true"}
    first = gan.post("/generate/landscape", files={"sketch": file.getvalue()}, data=fields)
    origin = carried(first)
    assert (origin["model"], origin["seed"], origin["class_seeds"]) == ("landscape", 5, {"sky": 9})
    assert origin["version"] == gan.get("/version").json()["version"]
    shape = origin["height"], origin["width"]
    assert shape == ((120, 200) if not transparent else picture(first).shape[:2])
    labels = np.frombuffer(zlib.decompress(base64.b64decode(origin["labels"])), np.uint8).reshape(shape)
    file = io.BytesIO()
    Image.fromarray(rgb_array()[labels]).save(file, "PNG")
    again = gan.post("/generate/landscape", files={"sketch": file.getvalue()}, data=fields)
    np.testing.assert_array_equal(picture(again), picture(first))


def test_a_sketch_leaks_only_on_request_and_only_into_png(gan: httpx.Client) -> None:
    for query in ("seed=5", "seed=5&metadata=false"):
        assert not Image.open(io.BytesIO(raw(gan, query).content)).info
    body = {"sketch": base64.b64encode(sky_over_sea()).decode(), "seed": 5, "n": 2, "metadata": True}
    answer = gan.post("/generate/landscape", json=body)
    files = [base64.b64decode(image["base64"]) for image in answer.json()["images"]]
    found = [json.loads(Image.open(io.BytesIO(file)).info["Prospero"])["seed"] for file in files]
    assert found == [5, 6]
    for query in ("metadata=true&format=jpeg", "metadata=true&format=webp", "metadata=yes", "metadata=1"):
        refused = raw(gan, query)
        assert (refused.status_code, refused.json()["error"]["field"]) == (422, "metadata"), query


def test_class_seeds_change_their_class(gan: httpx.Client) -> None:
    base = picture(raw(gan)).astype(int)
    quoted = json.dumps({"sky": 77})
    changed = picture(raw(gan, f"seed=5&class_seeds={quoted}")).astype(int)
    difference = np.abs(base - changed).mean(axis=(1, 2))
    half = len(difference) // 2
    assert difference[: half // 2].mean() > 0.5
    assert difference[: half // 2].mean() > difference[-half // 2 :].mean()


def test_outlines_are_natural_unless_they_are_to_be_kept(gan: httpx.Client) -> None:
    wood = stripes([PALETTE[class_id(name)].color for name in ("sky", "tree", "grass")])
    natural, drawn = (
        gan.post(
            "/generate/landscape", files={"sketch": wood}, data={"seed": "5", "metadata": "true", **fields}
        )
        for fields in ({}, {"outlines": "drawn"})
    )
    assert carried(natural)["outlines"] == "natural"
    assert carried(drawn)["outlines"] == "drawn"
    assert carried(natural)["labels"] == carried(drawn)["labels"]
    for answer in at_every_door(gan, wood, {"outlines": "drawn"}):
        (image,) = answer.json()["images"]
        kept = np.asarray(Image.open(io.BytesIO(base64.b64decode(image["base64"]))))
        np.testing.assert_array_equal(kept, picture(drawn))
    moved = np.abs(picture(natural).astype(int) - picture(drawn)).mean(axis=(1, 2))
    edge = len(moved) // 3  # between sky and trees
    assert moved[edge - 8 : edge + 8].mean() > 2 * moved[: edge // 2].mean()


def test_transparent_and_unmatched_pixels_are_filled(gan: httpx.Client) -> None:
    pixels = np.dstack(
        [np.asarray(Image.open(io.BytesIO(sky_over_sea()))), np.full((120, 200), 255, np.uint8)]
    )
    pixels[:20, :, 3] = 0
    pixels[100:, :, :3] = (255, 0, 255)
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    headers = {"content-type": "image/png", "accept": "application/json"}
    body = gan.post("/generate/landscape", content=file.getvalue(), headers=headers).json()
    assert body["classes"] == {"sky": 0.5, "sea": 0.5}
    assert body["unmatched_fraction"] == pytest.approx(20 / 100, abs=0.01)  # of the 100 opaque rows


def test_palette_maps_every_source_class_once(gan: httpx.Client) -> None:
    body = gan.get("/palette").json()
    assert len(body["classes"]) >= 10
    assert [one["id"] for one in body["classes"]] == list(range(len(body["classes"])))
    sources = [name for one in body["classes"] for name in one["sources"].get("siftflow", [])]
    sources += body["unlabelled"]["siftflow"]
    assert len(sources) == len(set(sources))
    assert len(set(sources) - {"unlabelled"}) == 33
    assert {"sky", "mountain", "tree", "sea", "sand"} <= set(sources)


def test_the_palette_as_a_file(gan: httpx.Client) -> None:
    gimp, adobe = (gan.get(f"/palette?format={name}") for name in ("gpl", "aco"))
    assert gimp.text.startswith("GIMP Palette\n")
    assert f"\t{PALETTE[-1].name}\n" in gimp.text
    assert adobe.content[:4] == bytes([0, 1, 0, len(PALETTE)])
    assert 'filename="prospero.aco"' in adobe.headers["content-disposition"]
    assert gan.get("/palette?format=json").json() == gan.get("/palette").json()
    refused = gan.get("/palette?format=ase")
    assert (refused.status_code, refused.json()["error"]["field"]) == (422, "format")


def test_palette_says_what_newer_classes_were_part_of_and_which_colours_are_taken(gan: httpx.Client) -> None:
    classes = gan.get("/palette").json()["classes"]
    names = [one["name"] for one in classes]
    newer = [one for one in classes if one["broader"] is not None]
    assert {one["name"]: one["broader"] for one in newer} == {
        "lake": "river",
        "waterfall": "river",
        "cloud": "sky",
        "earth": "sand",
    }
    assert names.index(newer[0]["name"]) == len(classes) - len(newer)  # ids of the others are as they were
    colors = [color for one in classes for color in (one["color"], *one["earlier_colors"])]
    assert len(colors) == len(set(colors)) > len(classes)


def test_a_sketch_in_earlier_colours_is_the_same_sketch(gan: httpx.Client) -> None:
    answers = []
    todays = [entry.color for entry in PALETTE]
    earlier = [(*entry.earlier_colors, entry.color)[0] for entry in PALETTE]
    for colors in (todays, earlier):
        image = Image.new("RGB", (4 * len(PALETTE), 40))
        for entry in PALETTE:
            image.paste(colors[entry.id], (4 * entry.id, 0, 4 * entry.id + 4, 40))
        file = io.BytesIO()
        image.save(file, "PNG")
        headers = {"content-type": "image/png", "accept": "application/json"}
        answers.append(
            gan.post("/generate/landscape?seed=5", content=file.getvalue(), headers=headers).json()
        )
    assert answers[0]["unmatched_fraction"] == answers[1]["unmatched_fraction"] == 0
    assert len(answers[0]["classes"]) == len(PALETTE)
    assert answers[0]["classes"] == answers[1]["classes"]
    assert answers[0]["images"] == answers[1]["images"]


def test_models_says_which_classes_it_has(gan: httpx.Client) -> None:
    names = [one["name"] for one in gan.get("/palette").json()["classes"]]
    for model in gan.get("/models").json()["models"]:
        if model["kind"] in ("landscape", "segmenter"):
            classes = model["details"]["classes"]
            assert classes == names[: len(classes)]
            assert len(classes) >= 13


def test_models_says_what_is_loaded(gan: httpx.Client) -> None:
    models = {one["name"]: one for one in gan.get("/models").json()["models"]}
    for name in ("gpt-shakespeare", "landscape"):
        model = models[name]
        assert model["default"]
        assert model["state"] == "ready"
        assert model["parameters"] > 100_000
        assert model["training_data"]
        assert model["metrics"]
        assert model["device"] == "cpu"
        assert model["dtype"]
        assert model["determinism"]


def stripes(colors: list[str]) -> bytes:
    image = Image.new("RGB", (64, 64))
    for number, color in enumerate(colors):
        image.paste(color, (0, 64 * number // len(colors), 64, 64))
    return png(image)


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def at_every_door(client: httpx.Client, sketch: bytes, fields: dict[str, str]) -> list[httpx.Response]:
    path, wanted = "/generate/landscape", {"accept": "application/json"}
    typed = {"content-type": "image/png", **wanted}
    body = {"sketch": base64.b64encode(sketch).decode(), "seed": 5, **fields}
    fields = {"seed": "5", **fields}
    return [
        client.post(path, content=sketch, params=fields, headers=typed),
        client.post(path, files={"sketch": sketch}, data=fields, headers=wanted),
        client.post(path, json=body, headers=wanted),
    ]


def of_ids(*ids: int) -> bytes:
    return png(Image.fromarray(np.array(ids, np.uint8).repeat(64 // len(ids))[:, None].repeat(64, axis=1)))


WHITE_BELOW_SKY = stripes([PALETTE[0].color, "#ffffff", "#ffffff", "#ffffff"])


@pytest.mark.parametrize(
    ("sketch", "fields"),
    [
        (of_ids(0, 9), {"labels": "ids"}),
        (of_ids(3, 27), {"labels": "ids", "palette": "ade20k"}),
        (of_ids(156, 154), {"labels": "ids", "palette": "cocostuff"}),
        (of_ids(28, 25), {"labels": "ids", "palette": "siftflow"}),
        (stripes(["#06e6e6", "#0907e6"]), {"palette": "ade20k"}),
        (stripes(["#9ceedd", "#9ac6da"]), {"labels": "colors", "palette": "gaugan"}),
    ],
)
def test_maps_of_others_and_of_ids_are_the_same_sketch(
    gan: httpx.Client, sketch: bytes, fields: dict[str, str]
) -> None:
    expected = raw(gan, accept="application/json").json()["classes"]
    for answer in at_every_door(gan, sketch, fields):
        assert answer.json()["classes"] == expected, answer.text


def test_paper_is_not_drawn_where_it_is_ignored(gan: httpx.Client) -> None:
    for answer in at_every_door(gan, WHITE_BELOW_SKY, {"background": "ignore"}):
        assert (answer.json()["classes"], answer.json()["unmatched_fraction"]) == ({"sky": 1}, 0)


@pytest.mark.parametrize(
    ("sketch", "fields", "field", "said"),
    [
        (stripes(["#06e6e6", "#0907e6"]), {}, "sketch", "palette=ade20k"),
        (of_ids(0, 9), {}, "sketch", "labels=ids"),
        (WHITE_BELOW_SKY, {}, "sketch", "background=ignore"),
        (of_ids(0, 99), {"labels": "ids"}, "sketch", ": 99"),
        (of_ids(0, 9), {"palette": "siftflow"}, "palette", "labels=ids"),
        (of_ids(0, 9), {"labels": "ids", "background": "ignore"}, "background", "leave it out"),
        (of_ids(0, 9), {"labels": "id"}, "labels", "'ids'"),
        (of_ids(0, 9), {"palette": "cityscapes"}, "palette", "'gaugan'"),
        (WHITE_BELOW_SKY, {"background": "white"}, "background", "'ignore'"),
        (of_ids(0, 9), {"labels": "ids", "outlines": "smooth"}, "outlines", "'natural'"),
    ],
)
def test_what_a_sketch_seems_to_be_is_said_and_not_guessed(
    gan: httpx.Client, sketch: bytes, fields: dict[str, str], field: str, said: str
) -> None:
    for answer in at_every_door(gan, sketch, fields):
        error = answer.json()["error"]
        assert (answer.status_code, error["field"]) == (422, field), error
        assert said in error["message"]
