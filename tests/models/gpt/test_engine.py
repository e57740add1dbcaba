"""The text engine as the service uses it."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.checkpoint import CheckpointError, save_checkpoint
from models.errors import RequestError
from models.gpt.engine import TextEngine
from models.gpt.kernel import load_kernel
from models.gpt.network import CausalAttention
from models.gpt.request import TextRequest
from models.gpt.source import Weights
from models.gpt.tokenizer import CharacterTokenizer
from tests.models.gpt.small import ALPHABET, complete, make_bpe, make_engine, make_network, text_of

REQUEST = TextRequest("hear me", seed=11, max_tokens=40)


@pytest.fixture(scope="module")
def engine() -> TextEngine:
    return make_engine()


def test_one_token_a_step_until_the_limit(engine: TextEngine) -> None:
    events = complete(engine, REQUEST)
    assert [event.num_tokens for event in events] == [1] * 40
    assert [event.finish_reason for event in events] == [None] * 39 + ["length"]
    assert len(text_of(events)) == 40
    assert (events[-1].prompt_tokens, events[-1].prompt_truncated) == (7, False)


def test_seeds_matter_and_greedy_ignores_them(engine: TextEngine) -> None:
    assert text_of(complete(engine, REQUEST)) != text_of(complete(engine, replace(REQUEST, seed=12)))
    greedy = replace(REQUEST, temperature=0.0)
    assert text_of(complete(engine, greedy)) == text_of(complete(engine, replace(greedy, seed=12)))


def test_text_ends_before_a_stop_string(engine: TextEngine) -> None:
    whole = text_of(complete(engine, REQUEST))
    stop = whole[9:12]
    events = complete(engine, replace(REQUEST, stop=(stop,)))
    assert text_of(events) == whole[: whole.find(stop)]
    assert events[-1].finish_reason == "stop"


def test_max_characters_cuts_exactly() -> None:
    engine = make_engine(is_bpe=True)
    request = TextRequest("Speak", seed=3, max_tokens=200)
    whole = text_of(complete(engine, request))
    for limit in (1, 2, 13, 14, 15):
        events = complete(engine, replace(request, max_characters=limit))
        assert text_of(events) == whole[:limit]
        assert events[-1].finish_reason == "length"


def test_the_end_token_stops_and_shows_nothing() -> None:
    engine = make_engine()
    greedy = TextRequest("hear me", seed=0, temperature=0.0, max_tokens=10)
    whole = text_of(complete(engine, greedy))
    ending = make_engine(end_token=ALPHABET.index(whole[0]))
    events = complete(ending, greedy)
    assert [(event.text, event.finish_reason) for event in events] == [("", "stop")]


def test_logprobs_are_the_models_own(engine: TextEngine) -> None:
    events = complete(engine, replace(REQUEST, logprobs=5, top_k=3, max_tokens=1))
    (given,) = events[0].logprobs
    network = make_network(len(ALPHABET))
    tokens = torch.tensor([[ALPHABET.index(character) for character in "hear me"]])
    wanted = torch.log_softmax(network.logits(network(tokens, CausalAttention())[0, -1]), -1)
    assert given.logprob == pytest.approx(wanted[ALPHABET.index(given.token.decode())].item(), abs=1e-4)
    assert [token.decode() for token, _ in given.top] == [ALPHABET[i] for i in wanted.topk(5).indices]
    assert given.token in [token for token, _ in given.top[:3]]


def test_foreign_characters_are_named(engine: TextEngine) -> None:
    with pytest.raises(RequestError, match="'€', '東'") as caught:
        engine.admit(1, TextRequest("a東€", seed=1))
    assert caught.value.field == "prompt"
    assert engine.num_running == 0


def test_any_unicode_goes_through_bytes() -> None:
    engine = make_engine(is_bpe=True)
    for prompt in ("東京 😀\x00", "\ud800", "e\u0301"):
        events = complete(engine, TextRequest(prompt, seed=1, max_tokens=30))
        text_of(events).encode()  # held-back bytes never come out as halves
        assert events[-1].finish_reason == "length"


def test_an_empty_prompt_is_a_newline(engine: TextEngine) -> None:
    empty, newline = (complete(engine, replace(REQUEST, prompt=prompt)) for prompt in ("", "\n"))
    assert text_of(empty) == text_of(newline)
    assert empty[-1].prompt_tokens == 1


def test_the_end_of_a_long_prompt_counts(engine: TextEngine) -> None:
    end = "x" * 10 + " and so forth, good sir"
    long = complete(engine, replace(REQUEST, prompt="never seen " * 9 + end[-32:]))
    assert long[-1].prompt_truncated
    assert long[-1].prompt_tokens == 131
    assert text_of(long) == text_of(complete(engine, replace(REQUEST, prompt=end[-32:])))


def test_dropped_requests_free_their_slots(engine: TextEngine) -> None:
    for key in range(8):
        engine.admit(key, REQUEST)
    engine.step()
    for key in (0, 3, 99):
        engine.drop(key)
    assert engine.num_running == 6
    engine.admit(0, REQUEST)
    assert {event.key for event in engine.step()} == {0, 1, 2, 4, 5, 6, 7}
    for key in range(8):
        engine.drop(key)
    assert engine.step() == []


@pytest.mark.parametrize("is_bpe", [False, True])
def test_a_checkpoint_serves_as_its_network_did(tmp_path: Path, is_bpe: bool) -> None:
    tokenizer = make_bpe() if is_bpe else CharacterTokenizer(ALPHABET)
    network = make_network(len(tokenizer.pieces))
    files = {"tokenizer.json": tokenizer.to_json()}
    save_checkpoint(tmp_path / "gpt", network.config, network.state_dict(), {"figure": 1.5}, "", files)
    engine = TextEngine.load(tmp_path / "gpt", "cpu", max_slots=4)
    same = TextEngine(network, tokenizer, 4, kernel=load_kernel())
    assert text_of(complete(engine, REQUEST)) == text_of(complete(same, REQUEST))
    said = engine.describe()
    assert (said["device"], said["dtype"], said["metrics"]) == ("cpu", "float32", {"figure": 1.5})
    assert said["parameters"] == sum(tensor.numel() for tensor in network.parameters())


def test_a_foreign_tokenizer_is_refused(tmp_path: Path) -> None:
    network = make_network(10)
    for content in (b"{}", b"\xff", b'{"characters": "aa"}', b"nonsense", b'{"characters": "abcdefghijklm"}'):
        save_checkpoint(
            tmp_path / "gpt", network.config, network.state_dict(), {}, "", {"tokenizer.json": content}
        )
        with pytest.raises(CheckpointError, match=r"tokenizer\.json"):
            TextEngine.load(tmp_path / "gpt", "cpu")


def test_weights_are_held_in_what_was_asked_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    network = make_network(len(ALPHABET))
    files = {"tokenizer.json": CharacterTokenizer(ALPHABET).to_json()}
    save_checkpoint(tmp_path / "gpt", network.config, network.state_dict(), {}, "", files)
    kernel = load_kernel()
    has_kernel = kernel is not None
    choices: list[Weights] = ["auto", "bfloat16", "int16", "int8"]
    for asked in choices:
        engine = TextEngine.load(tmp_path / "gpt", "cpu", max_slots=2, weights=asked)
        held = "float32" if kernel is None else kernel.preferred if asked == "auto" else asked
        assert engine.describe()["weights"] == held
        assert len(text_of(complete(engine, REQUEST))) == 40
    assert ("int8 need the compiled kernel" in caplog.text) == (not has_kernel)


def test_choices_of_one_prompt_have_it_tokenised_once(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = make_engine()
    wanted = [text_of(complete(engine, replace(REQUEST, seed=seed))) for seed in range(3)]
    asked: list[str] = []
    encode = engine.tokenizer.encode

    def noted(text: str) -> list[int]:
        asked.append(text)
        return encode(text)

    monkeypatch.setattr(engine.tokenizer, "encode", noted)
    for prompt in ("other", REQUEST.prompt, "other"):
        texts = [text_of(complete(engine, replace(REQUEST, prompt=prompt, seed=seed))) for seed in range(3)]
        assert prompt == "other" or texts == wanted
    assert asked == ["other", REQUEST.prompt, "other"]


def test_what_another_thread_prepared_is_what_admit_prepares() -> None:
    engine, request = make_engine(), replace(REQUEST, prompt="hear me " * 40, prompt_logprobs=1)
    wanted = complete(engine, request)
    with ThreadPoolExecutor(1) as thread:
        engine.take(0, thread.submit(engine.prepare, request).result())
    events = []
    while engine.num_running:
        events += engine.step()
    assert events == wanted
