"""`prospero generate`, `paint`, `models`, `bench`, `batch` with a server: in terminals, in pipes, killed."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import termios
from pathlib import Path
from typing import Any

import httpx
import pytest

import prospero
from harness.device import TEST_DEVICE
from harness.probes import descendants, is_idle, total, wait_until
from harness.server import ROOT, Server, fake_server

LAKE = str(ROOT / "docs" / "examples" / "lake.png")
COMMAND = [sys.executable, "-m", "prospero"]


def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*COMMAND, *arguments], cwd=ROOT, capture_output=True, timeout=120, check=False, **options
    )


def write_batch(path: Path, count: int, max_tokens: int) -> None:
    body = {"prompt": "a", "max_tokens": max_tokens}
    lines = [
        {"custom_id": f"r{i}", "method": "POST", "url": "/v1/completions", "body": {**body, "seed": i}}
        for i in range(count)
    ]
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def custom_ids(path: Path) -> list[str]:
    return [json.loads(line)["custom_id"] for line in path.read_text().splitlines()]


def test_a_text_goes_to_a_pipe_as_it_is(fake: Server, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["generate", "x", "--max-tokens", "5", "--seed", "1", "--url", fake.url]
    assert prospero.main(asked) == 0
    assert prospero.main([*asked, "--echo"]) == 0
    assert capsys.readouterr() == ("bcdefxbcdef", "")
    assert prospero.main([*asked, "--temperature", "9"]) == 1
    told = "temperature: Input should be less than or equal to 2 (422)"
    assert capsys.readouterr() == ("", f"prospero generate: {told}\n")


def test_a_prompt_from_stdin(fake: Server) -> None:
    done = run(
        "generate", "-", "--echo", "--max-tokens", "1", "--seed", "0", "--url", fake.url, input=b"\xc3\xa9"
    )
    assert (done.returncode, done.stdout.decode(), done.stderr) == (0, "éa", b"")
    done = run("generate", "-", "--url", fake.url, input=b"\xff")
    assert (done.returncode, done.stderr) == (1, b"prospero generate: stdin is not UTF-8 (byte 0)\n")


def test_whoever_reads_no_further_hears_no_complaint(fake: Server) -> None:
    pipe, writer = os.pipe()
    process = subprocess.Popen(
        [*COMMAND, "generate", "a", "--max-tokens", "4000", "--url", fake.url],
        cwd=ROOT,
        stdout=writer,
        stderr=subprocess.PIPE,
    )
    os.close(writer)
    assert os.read(pipe, 1)
    os.close(pipe)
    assert process.communicate(timeout=60)[1] == b""
    assert process.returncode == 128 + signal.SIGPIPE
    wait_until(lambda: is_idle(fake), what="a server that dropped the text")


def test_ctrl_c_ends_it_without_a_traceback(fake: Server) -> None:
    process = subprocess.Popen(
        [*COMMAND, "generate", "a", "--max-tokens", "4000", "--url", fake.url],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (130, b"prospero generate: interrupted\n")
    wait_until(lambda: is_idle(fake), what="a server that dropped the text")


def in_a_terminal(*arguments: str) -> str:
    """What a command writes to a terminal, stdout and stderr."""
    terminal, end = pty.openpty()
    termios.tcsetwinsize(end, (24, 100))
    process = subprocess.Popen([*COMMAND, *arguments], cwd=ROOT, stdout=end, stderr=end)
    os.close(end)
    said = b""
    try:
        while data := os.read(terminal, 65536):
            said += data
    except OSError:  # the other side is closed: Linux's end of file
        pass
    os.close(terminal)
    assert process.wait(60) == 0
    return said.decode().replace("\r\n", "\n")


def test_a_terminal_gets_a_newline_and_a_progress_bar(fake: Server, tmp_path: Path) -> None:
    asked = ("--max-tokens", "3", "--seed", "0", "--url", fake.url)
    assert in_a_terminal("generate", "a\x1b[31m", "--echo", *asked) == "a\ufffd[31mabc\n"
    write_batch(tmp_path / "in.jsonl", 5, 1)
    said = in_a_terminal("batch", str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl"), "--url", fake.url)
    assert "100%|" in said
    assert "5/5" in said
    assert said.endswith("5 answered, 0 of them failed\n")


def test_a_picture(fake: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["paint", LAKE, "--seed", "3", "--class-seed", "sky=11", "--url", fake.url, "-o"]
    for name, begins in (("a.png", b"\x89PNG"), ("b.JPG", b"\xff\xd8"), ("c.webp", b"RIFF")):
        assert prospero.main([*asked, str(tmp_path / name)]) == 0
        assert (tmp_path / name).read_bytes().startswith(begins)
        assert capsys.readouterr() == ("", f"{tmp_path / name} (seed 3)\n")
    assert run(*asked, "-").stdout == (tmp_path / "a.png").read_bytes()
    assert prospero.main([*asked, str(tmp_path / "a.png"), "--class-seed", "moon=1"]) == 1
    assert "moon" in capsys.readouterr().err
    assert prospero.main([*asked, str(tmp_path / "none" / "a.png")]) == 1
    assert capsys.readouterr().err == f"prospero paint: {tmp_path / 'none'}: no such folder\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.JPG", "c.webp"]


def test_models(fake: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert prospero.main(["models", "--url", fake.url]) == 0
    assert "fake-text*       gpt        ready" in capsys.readouterr().out
    assert prospero.main(["models", "--json", "--url", fake.url]) == 0
    assert json.loads(capsys.readouterr().out) == httpx.get(f"{fake.url}/models").json()["models"]


@pytest.mark.parametrize("route", ["/generate/text", "/v1/completions"])
@pytest.mark.parametrize("loop", [("--concurrency", "4"), ("--rate", "200")], ids=["closed", "open"])
def test_bench(
    route: str, loop: tuple[str, str], fake: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = total(fake, "prospero_text_generated_tokens_total")
    size = ("--requests", "12", "--max-tokens", "7", "--json", str(tmp_path / "report.json"))
    assert prospero.main(["bench", fake.url, "--route", route, *loop, *size]) == 0
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["succeeded"], report["failures"], report["unit"]) == (12, {}, "tokens")
    assert report["asked"]["route"] == route
    tokens = report["amount_per_second"] * report["seconds"]
    assert tokens == pytest.approx(84)
    assert total(fake, "prospero_text_generated_tokens_total") - before == 84
    for name in ("first_token", "per_token", "latency"):
        assert 0 < report[name]["p50"] <= report[name]["p99"] <= report["seconds"]
    assert report["first_token"]["p99"] < report["latency"]["p99"]
    said = capsys.readouterr()
    assert "12 answered, 0 failed" in said.out
    assert said.err == ""


def test_bench_looks_for_the_folder_before_it_measures(
    fake: Server, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert prospero.main(["bench", "--url", fake.url, "--json", str(tmp_path / "none" / "a.json")]) == 1
    assert capsys.readouterr() == ("", f"prospero bench: {tmp_path / 'none'}: no such folder\n")
    with pytest.raises(SystemExit, match="2"):
        prospero.main(["bench", fake.url, "--url", fake.url])


def test_bench_of_pictures_and_of_failures(fake: Server, capsys: pytest.CaptureFixture[str]) -> None:
    assert prospero.main(["bench", fake.url, "--sketch", LAKE, "--requests", "3", "--json", "-"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["succeeded"], report["unit"], report["first_token"]) == (3, "images", None)
    assert prospero.main(["bench", fake.url, "--model", "none", "--requests", "3"]) == 1
    assert "0 answered, 3 failed" in (said := capsys.readouterr().out)
    assert "failed, 3 times: model: " in said


def test_a_batch_that_is_killed_loses_nothing_and_does_nothing_twice(fake: Server, tmp_path: Path) -> None:
    lines, answers = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    write_batch(lines, 300, 40)
    arguments = ["batch", str(lines), str(answers), "--concurrency", "8", "--url", fake.url]
    kept = b""
    for num_answers in (20, 90):  # killed twice, the second time with half an answer in the file
        process = subprocess.Popen([*COMMAND, *arguments], cwd=ROOT)
        wait_until(lambda: answers.exists() and answers.read_bytes().count(b"\n") >= num_answers, 60)  # noqa: B023
        process.kill()
        process.wait()
        assert answers.read_bytes().startswith(kept)
        kept = answers.read_bytes()[: answers.read_bytes().rindex(b"\n") + 1]
        answers.write_bytes(kept + b'{"id": "batch_req_')
    wait_until(lambda: is_idle(fake), what="a server that dropped what was asked")
    assert 90 <= kept.count(b"\n") < 300
    before = total(fake, "prospero_http_requests_total", route="/v1/completions")
    assert prospero.main(arguments) == 0
    left = 300 - kept.count(b"\n")
    assert total(fake, "prospero_http_requests_total", route="/v1/completions") - before == left
    assert answers.read_bytes().startswith(kept)
    assert custom_ids(answers) == [f"r{i}" for i in range(300)]
    for i, line in enumerate(answers.read_text().splitlines()):
        body = json.loads(line)["response"]["body"]
        assert body["choices"][0]["text"] == "".join(chr(97 + (i + step) % 26) for step in range(40))


def test_a_busy_server_is_waited_for(tmp_path: Path) -> None:
    write_batch(tmp_path / "in.jsonl", 4, 30)
    one_by_one = {"PROSPERO_TEXT_SLOTS": "1", "PROSPERO_TEXT_QUEUE": "1", "FAKE_KINDS": "gpt"}
    with fake_server(tmp_path / "server", **one_by_one) as server:
        files = [str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl")]
        assert prospero.main(["batch", *files, "--url", server.url]) == 0
        assert total(server, "prospero_http_requests_total", status="429") > 0
    assert len(custom_ids(tmp_path / "out.jsonl")) == 4


@pytest.mark.slow
def test_a_batch_with_a_server_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "gpt-shakespeare").symlink_to(ROOT / "checkpoints" / "gpt-shakespeare")
    write_batch(tmp_path / "in.jsonl", 40, 100)
    arguments = ["batch", str(tmp_path / "in.jsonl"), str(tmp_path / "out.jsonl"), "--start"]
    environment = {
        "PROSPERO_DEVICE": TEST_DEVICE,
        **os.environ,
        "PROSPERO_CHECKPOINTS": str(tmp_path / "checkpoints"),
        "PROSPERO_API_KEY": "not for its own server",
    }
    options = [*arguments, "--concurrency", "1"]
    process = subprocess.Popen([*COMMAND, *options], cwd=ROOT, env=environment)
    answers = tmp_path / "out.jsonl"
    wait_until(lambda: answers.exists() and answers.read_bytes(), 120, "an answer")
    servers = descendants(process.pid)
    assert any("-m service" in line for line in servers.values())
    process.kill()
    process.wait()
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in servers), 60, "the end of its server")
    done = run(*arguments, env=environment)
    assert (done.returncode, done.stderr) == (0, b"40 answered, 0 of them failed\n")
    assert custom_ids(answers) == [f"r{i}" for i in range(40)]
    broken = {**environment, "PROSPERO_TEXT_MODEL": "none"}
    failed = run("batch", str(tmp_path / "in.jsonl"), str(tmp_path / "none.jsonl"), "--start", env=broken)
    assert failed.returncode == 1
    assert failed.stderr.startswith(
        b"prospero batch: the server didn't start: prospero: PROSPERO_TEXT_MODEL: "
    )
