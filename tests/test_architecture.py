"""The house rules that a reader can't see at a glance, read off the source: who imports whom, and what."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("service", "models", "training", "client")
MAY_IMPORT = {  # service → models ← training
    "models": {"models"},
    "service": {"service", "models"},
    "training": {"training", "models"},
    "client": {"client"},  # it knows the HTTP contract, and nothing else
}
ROOMS_OF_SERVICE = {  # which folder may import which; all may import the files at the top that know no folder
    "images": set[str](),
    "metrics": set[str](),
    "schemas": {"images"},
    "workers": set[str](),
    "http": {"images", "metrics", "schemas", "workers"},
    "endpoints": {"images", "metrics", "schemas", "workers", "http"},
    "lab": {"http", "metrics"},
    "openai": {"images", "schemas", "workers", "http", "endpoints"},
}
# What the HTTP process imports.
LIGHT_NAMES = {
    "config.py",
    "palette.py",
    "checkpoint.py",
    "errors.py",
    "request.py",
    "tokenizer.py",
    "chat.py",
}
PICKLE = {"pickle", "dill", "joblib", "cloudpickle", "shelve", "marshal"}


def sources(package: str) -> list[Path]:
    return sorted((ROOT / package).rglob("*.py"))


def imports(path: Path) -> Iterator[str]:
    """Every absolute name that a file imports, wherever in it the import stands."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module is not None
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def importers(names: set[str], *packages: str) -> set[str]:
    """The files that import any of these top-level modules."""
    return {
        str(path.relative_to(ROOT))
        for package in packages
        for path in sources(package)
        if names & {name.split(".")[0] for name in imports(path)}
    }


def module_name(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts)


def test_every_package_is_walked() -> None:
    assert all(len(sources(package)) > 5 for package in PACKAGES)


@pytest.mark.parametrize("package", PACKAGES)
def test_arrows_point_one_way(package: str) -> None:
    for path in sources(package):
        ours = {name.split(".")[0] for name in imports(path)} & set(PACKAGES)
        assert ours <= MAY_IMPORT[package], f"{path.relative_to(ROOT)} imports {ours - MAY_IMPORT[package]}"


@pytest.mark.parametrize("room", ROOMS_OF_SERVICE)
def test_a_room_of_the_service_uses_only_those_below_it(room: str) -> None:
    for path in sorted((ROOT / "service" / room).rglob("*.py")):
        used = {name.split(".")[1] for name in imports(path) if name.startswith("service.")}
        used &= ROOMS_OF_SERVICE.keys()
        assert used <= ROOMS_OF_SERVICE[room] | {room}, f"{path.relative_to(ROOT)} imports {used}"


def test_every_folder_of_the_service_is_a_room() -> None:
    folders = {path.parent.relative_to(ROOT / "service") for path in sources("service")}
    assert {folder.parts[0] for folder in folders if folder.parts} == ROOMS_OF_SERVICE.keys()


def test_no_imports_run_in_a_circle() -> None:
    paths = {module_name(path): path for package in PACKAGES for path in sources(package)}
    graph = {name: set(imports(path)) & paths.keys() - {name} for name, path in paths.items()}
    TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


@pytest.mark.parametrize("package", PACKAGES)
def test_the_product_never_imports_its_tests_or_benchmarks(package: str) -> None:
    assert importers({"tests", "benchmarks", "harness", "pytest"}, package) == set()


def test_what_tests_and_benchmarks_share_has_a_room_of_its_own() -> None:
    assert importers({"tests"}, "benchmarks", "harness") == set()
    assert importers({"benchmarks"}, "harness") == set()


def test_models_know_nothing_of_http() -> None:
    assert importers({"litserve", "fastapi", "starlette", "uvicorn", "prometheus_client"}, "models") == set()


def test_one_room_imports_prometheus() -> None:
    folders = {str(Path(path).parent) for path in importers({"prometheus_client"}, *PACKAGES)}
    assert folders == {"service/metrics"}


def test_one_module_of_the_service_reads_the_environment() -> None:
    readers = set()
    for path in [*sources("service"), *sources("models")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            name = node.attr if isinstance(node, ast.Attribute) else None
            name = node.name if isinstance(node, ast.alias) else name
            if name in ("environ", "environb", "getenv", "getenvb"):
                readers.add(str(path.relative_to(ROOT)))
    assert readers == {"service/settings.py"}


def test_nothing_served_is_unpickled() -> None:
    assert importers(PICKLE, "service", "models") == set()
    for path in [*sources("service"), *sources("models")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_torch_load = (
                isinstance(node, ast.Attribute)
                and node.attr == "load"
                and isinstance(node.value, ast.Name)
                and node.value.id == "torch"
            )
            assert not is_torch_load, f"{path.relative_to(ROOT)}: torch.load unpickles"


def test_configs_need_no_torch() -> None:
    """Imported in a process that has no torch, as the HTTP process imports them."""
    light = [module_name(path) for path in sources("models") if path.name in LIGHT_NAMES]
    assert {"models.checkpoint", "models.gpt.config", "models.landscape.config"} <= set(light)
    program = f"import sys; sys.modules['torch'] = None; import {', '.join(light)}"
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("package", PACKAGES)
def test_every_module_says_what_it_is_for(package: str) -> None:
    for path in sources(package):
        text = path.read_text(encoding="utf-8")
        docstring = ast.get_docstring(ast.parse(text))
        if text.strip():  # an empty __init__.py says nothing and does nothing
            assert docstring, f"{path.relative_to(ROOT)} has no docstring"


def test_the_http_process_imports_no_torch() -> None:
    program = "import sys, service.server; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)
