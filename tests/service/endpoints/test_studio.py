"""The page at /: every file it names is there, of the right type, under its policy, and light."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from models.lab.config import MAX_DRAWN_POINTS, MIN_DRAWN_POINTS, LabConfig
from service.endpoints.studio import FOLDER, MEDIA_TYPES, add_studio, read_files
from service.images.palette_match import EXACT_DELTA_E, MAX_DELTA_E, NEAR_DELTA_E

MAX_PAGE_BYTES = 300_000
_IMPORT = re.compile(r"""(?:from|import)\s*\(?\s*["'](\.[^"']+)["']""")
OTHER = {"uses.html", "css/uses.css"}  # a page of its own, which only a link leads to
_ATTRIBUTE = re.compile(r"""(?:href|src)="([^"#][^"]*)\"""")


@pytest.fixture(scope="module")
def page() -> Iterator[TestClient]:
    app = FastAPI()
    add_studio(app)
    with TestClient(app) as client:
        yield client


def names(suffix: str) -> list[str]:
    return [name for name in read_files(FOLDER) if name.endswith(suffix)]


def check_headers(page: TestClient, path: str, suffix: str) -> None:
    answer = page.get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == MEDIA_TYPES[suffix]
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy, "the page needs no other host"


def test_index(page: TestClient) -> None:
    check_headers(page, "/", ".html")


@pytest.mark.parametrize("name", [*names(".js"), *names(".css"), *names(".svg")])
def test_every_file_is_served_with_its_type(page: TestClient, name: str) -> None:
    check_headers(page, f"/studio/{name}", PurePosixPath(name).suffix)


def test_a_file_known_already_is_not_sent_again(page: TestClient) -> None:
    first = page.get("/studio/main.js")
    again = page.get("/studio/main.js", headers={"If-None-Match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]
    assert page.get("/studio/main.js", headers={"If-None-Match": '"another"'}).status_code == 200


@pytest.mark.parametrize("path", ["nothing.js", "package.json", "../service/app.py", ""])
def test_nothing_else_is_served(page: TestClient, path: str) -> None:
    assert page.get(f"/studio/{path}").status_code == 404


def test_it_is_no_part_of_the_api(page: TestClient) -> None:
    assert page.get("/openapi.json").json()["paths"] == {}


@pytest.mark.parametrize("name", names(".js"))
def test_every_module_imported_exists(name: str) -> None:
    source = (FOLDER / name).read_text(encoding="utf-8")
    for target in _IMPORT.findall(source):
        assert (FOLDER / name).parent.joinpath(target).resolve().is_file(), f"{name} imports {target}"


def test_every_module_is_reached_and_says_what_it_is_for() -> None:
    found, waiting = set(), [FOLDER / "main.js"]
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        source = path.read_text(encoding="utf-8")
        assert source.startswith("/** "), path
        waiting += [path.parent.joinpath(target).resolve() for target in _IMPORT.findall(source)]
    assert {path.relative_to(FOLDER).as_posix() for path in found} == set(names(".js"))


def test_the_page_names_only_what_is_there(page: TestClient) -> None:
    served = {f"studio/{name}" for name in read_files(FOLDER)}
    linked = set(_ATTRIBUTE.findall(page.get("/").text))
    assert linked - served == {"docs"}  # the API's own page
    assert all(f"studio/{name}" in linked for name in set(names(".css")) - OTHER)


def test_every_id_that_a_module_asks_for_is_in_the_page() -> None:
    html = (FOLDER / "index.html").read_text(encoding="utf-8")
    ids = re.findall(r'\bid="([^"]+)"', html)
    assert len(ids) == len(set(ids))
    made = {f"lab-{name}" for name in LabConfig.model_fields}  # by the lab's form
    for name in names(".js"):
        source = (FOLDER / name).read_text(encoding="utf-8")
        for wanted in re.findall(r'\b(?:\w*[bB]yId|onClick)\("([^"]+)"[,)]', source):
            assert wanted in {*ids, *made}, f"{name} asks for #{wanted}"


def test_it_is_light_and_needs_no_other_host() -> None:
    files = read_files(FOLDER)
    assert sum(len(file.data) for name, file in files.items() if name not in OTHER) < MAX_PAGE_BYTES
    for name, file in files.items():
        addresses = re.findall(rb"https?://[\w.-]+", file.data)
        # SVG's namespace; and where the lines to paste ask, which is here.
        assert set(addresses) <= {b"http://www.w3.org", b"http://localhost"}, name


def test_the_lab_form_has_the_defaults_and_ranges_of_the_api() -> None:
    script = (
        f"import {{ FIELDS, MIN_POINTS, MAX_POINTS }} from {json.dumps((FOLDER / 'lab/config.js').as_uri())};"
        "console.log(JSON.stringify({ FIELDS, MIN_POINTS, MAX_POINTS }))"
    )
    try:
        run = subprocess.run(
            ["node", "--input-type=module", "-e", script], capture_output=True, text=True, check=True
        )
    except FileNotFoundError:
        pytest.skip("needs node")
    said = json.loads(run.stdout)
    assert (said["MIN_POINTS"], said["MAX_POINTS"]) == (MIN_DRAWN_POINTS, MAX_DRAWN_POINTS)
    fields = {field["name"]: field for field in said["FIELDS"]}
    assert set(fields) == set(LabConfig.model_fields) - {"points"}
    config = LabConfig()
    for name, field in fields.items():
        assert field["value"] == getattr(config, name), name
        for value in [one for one, _ in field.get("options", [])] or [field["min"], field["max"]]:
            points = tuple((i / 10, 0.0) for i in range(10)) if value == "drawn" else None
            LabConfig.model_validate({"points": points, name: value})


def test_the_canvas_snaps_colours_as_the_server_does() -> None:
    source = (FOLDER / "landscape/color.js").read_text(encoding="utf-8")
    levels = f"[{EXACT_DELTA_E:g}, {NEAR_DELTA_E:g}, {MAX_DELTA_E:g}]"
    assert f"MAX_DELTA_E = {levels};" in source


def test_it_needs_no_key() -> None:
    open_paths = add_studio(FastAPI())
    assert open_paths == {"/", *(f"/studio/{name}" for name in read_files(FOLDER))}


def test_without_its_folder_there_is_no_page(tmp_path: Path) -> None:
    app = FastAPI()
    assert add_studio(app, tmp_path) == frozenset()
    with TestClient(app) as client:
        assert client.get("/").status_code == 404
