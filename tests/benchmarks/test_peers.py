"""What is installed and timed beside ours."""

from __future__ import annotations

import sys
import zipfile
from pathlib import Path

import httpx
import pytest
import torch

from benchmarks.compare.__main__ import command_text
from benchmarks.compare.fleet import CONTENDERS, LLAMA_F16, OURS, Contender, Fleet
from benchmarks.compare.text import PASSAGE, start_all
from benchmarks.compare.text_apis import PLAIN
from benchmarks.landscape_peers import GENERATORS, NUM_LABELS
from benchmarks.peers import install


@pytest.mark.parametrize(("name", "millions"), [("SPADE", 92.4), ("OASIS", 70.5), ("pix2pixHD", 182.5)])
def test_generators_have_their_published_size(name: str, millions: float) -> None:
    """With 151 labels they would be 96.5M and 74.3M; pix2pixHD's is 183M."""
    with torch.device("meta"):
        generator = GENERATORS[name]()
        picture = generator(torch.zeros(1, NUM_LABELS, 256, 256))
    assert sum(one.numel() for one in generator.parameters()) / 1e6 == pytest.approx(millions, abs=0.05)
    assert picture.shape == (1, 3, 256, 256)


def test_requirements_of_a_wheel(tmp_path: Path) -> None:
    wanted = [
        "regex",
        'numba==0.65.0; python_version > "3.0"',
        "torch==2.13.0+cpu",
        "torchaudio",
        "torchcodec>=0.14",
    ]
    lines = [f"Requires-Dist: {one}" for one in [*wanted, 'pandas; extra == "bench"']]
    with zipfile.ZipFile(tmp_path / "a.whl", "w") as wheel:
        wheel.writestr("a-1.dist-info/METADATA", "\n".join(["Name: a", *lines]))
    assert install.requirements_of(tmp_path / "a.whl") == wanted[:2]


def test_a_peer_that_could_not_be_installed_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.compare.fleet.PEERS", tmp_path)
    assert OURS.missing() is None
    assert LLAMA_F16.missing() == "not installed (make bench-peers)"
    (tmp_path / "llama-cpp").mkdir()
    (tmp_path / "llama-cpp" / "failed.txt").write_text("needs cmake\n")
    assert LLAMA_F16.missing() == "needs cmake"
    (tmp_path / "llama-cpp" / "installed").touch()
    assert LLAMA_F16.missing() is None


def test_a_failed_installation_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(install, "PEERS", tmp_path)
    monkeypatch.setattr(install, "ROOT", tmp_path)
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert install.main(["llama-cpp"]) == 1
    assert (tmp_path / "llama-cpp" / "failed.txt").read_text() == "needs cmake\n"


def test_command_lines_name_no_machine() -> None:
    for contender in CONTENDERS:
        line = command_text(contender)
        assert str(install.ROOT) not in line
        assert "{port}" in line
    assert command_text(OURS).endswith(" python -m service")


def test_slots_follow_the_clients() -> None:
    line = LLAMA_F16.command_line(port=9, slots=32, stream=False)
    assert line[line.index("--parallel") + 1] == "32"
    assert line[line.index("--ctx-size") + 1] == str(32 * 512)


def test_a_server_that_does_not_start_is_said_so() -> None:
    broken = Contender("broken", "1", PLAIN, (sys.executable, "-c", "raise SystemExit(3)"))
    with Fleet() as fleet:
        unusable = start_all(fleet, [broken], PASSAGE.read_text())
    assert unusable == {"broken": "broken 64 ended with 3; see state/bench/logs/broken-64.log"}


def test_a_peer_that_ends_costs_only_itself() -> None:
    """Its measurements from then on are left out; what ended is said, once; ours may not end."""
    command = (sys.executable, "-m", "tests.benchmarks.canned_server", "ab", "{port}")
    ours, one, other = (
        Contender(name, "1", PLAIN, command, peer=peer)
        for name, peer in (("ours", None), ("one", "pytorch"), ("other", "pytorch"))
    )
    with Fleet() as fleet:

        def ask(contender: Contender) -> str:
            return httpx.get(fleet.get(contender, 8, stream=False).url + "/health").reason_phrase

        def kill(contender: Contender) -> None:
            process = fleet.get(contender, 8, stream=False).process
            process.kill()
            process.wait()

        assert fleet.measure(one, ask, one) == ["OK"]
        kill(one)
        for _ in range(2):
            assert fleet.measure(one, ask, one) == []
            assert fleet.measure(other, ask, other) == ["OK"]
        assert fleet.lost == {"one": "one ended with -9 under load"}
        kill(ours)
        with pytest.raises(AssertionError, match="ours ended with -9"):
            fleet.measure(ours, ask, ours)


def test_a_peer_stands_still_while_it_is_not_its_turn() -> None:
    command = (sys.executable, "-m", "tests.benchmarks.canned_server", "ab", "{port}")
    one, other = (Contender(name, "1", PLAIN, command, peer="pytorch") for name in ("one", "other"))

    def states(fleet: Fleet) -> list[str]:
        servers = [fleet.get(contender, 8, stream=False) for contender in (one, other)]
        pids = [server.process.pid for server in servers]
        return [Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] for pid in pids]

    with Fleet() as fleet:
        stopped, running = states(fleet)
        assert stopped == "T"
        assert running != "T"
        assert httpx.get(fleet.get(one, 8, stream=False).url + "/health", timeout=5).status_code == 200
        servers = [fleet.get(contender, 8, stream=False) for contender in (one, other)]
    assert all(server.process.poll() is not None for server in servers)


@pytest.mark.parametrize("text", ["ab", "ab" * 100])
def test_a_server_is_driven_and_stopped(text: str) -> None:
    command = (sys.executable, "-m", "tests.benchmarks.canned_server", text, "{port}")
    contender = Contender("canned", "1", PLAIN, command, ("stream",))
    with Fleet() as fleet:
        unusable = start_all(fleet, [contender], PASSAGE.read_text())
        servers = [fleet.get(contender, 8, stream) for stream in (False, True)]
    expected = {} if len(text) == 200 else {"canned": "answers wrongly: 2 characters instead of 200"}
    assert unusable == expected
    assert servers[0] is not servers[1]
    assert all(one.process.poll() is not None for one in servers)
