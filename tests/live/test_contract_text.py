"""`POST /generate/text` with the bundled checkpoint: the contract, as a client sees it."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from harness.server import Server
from tests.live.sse import read_events, stream_text, texts_of


@pytest.fixture(scope="module")
def gpt(bundled: Server) -> Iterator[httpx.Client]:
    with bundled.client() as client:
        yield client


def generate(client: httpx.Client, **body: Any) -> dict[str, Any]:
    response = client.post("/generate/text", json={"prompt": "ROMEO:", "seed": 1, "max_tokens": 40, **body})
    assert response.status_code == 200, response.text
    answer: dict[str, Any] = response.json()
    return answer


def test_answer_has_the_contracts_fields(gpt: httpx.Client) -> None:
    answer = generate(gpt)
    assert answer.keys() == {"id", "model", "choices", "usage"}
    assert answer["model"] == "gpt-shakespeare"
    (choice,) = answer["choices"]
    assert choice.keys() == {"index", "text", "seed", "finish_reason"}
    assert (choice["index"], choice["seed"], choice["finish_reason"]) == (0, 1, "length")
    assert answer["usage"]["completion_tokens"] == 40
    assert answer["usage"]["prompt_tokens"] >= 1
    assert answer["usage"]["prompt_truncated"] is False


def test_same_seed_same_text_and_other_seed_other_text(gpt: httpx.Client) -> None:
    first, again, other = generate(gpt), generate(gpt), generate(gpt, seed=2)
    assert first["choices"] == again["choices"]
    assert first["choices"][0]["text"] != other["choices"][0]["text"]


def test_choice_i_is_drawn_with_seed_plus_i(gpt: httpx.Client) -> None:
    several = generate(gpt, n=3)["choices"]
    assert [choice["seed"] for choice in several] == [1, 2, 3]
    for choice in several:
        assert generate(gpt, seed=choice["seed"])["choices"][0]["text"] == choice["text"]


def test_a_random_seed_comes_back_and_reproduces(gpt: httpx.Client) -> None:
    choice = generate(gpt, seed=None)["choices"][0]
    assert generate(gpt, seed=choice["seed"])["choices"][0]["text"] == choice["text"]


def test_text_is_the_same_alone_and_among_others(gpt: httpx.Client) -> None:
    alone = [generate(gpt, seed=seed, max_tokens=30 + seed)["choices"][0]["text"] for seed in range(12)]
    with ThreadPoolExecutor(12) as pool:
        together = pool.map(lambda seed: generate(gpt, seed=seed, max_tokens=30 + seed), range(12))
    assert [answer["choices"][0]["text"] for answer in together] == alone


def test_streamed_text_is_the_whole_text(gpt: httpx.Client) -> None:
    whole = generate(gpt, n=2)
    events = stream_text(gpt, prompt="ROMEO:", seed=1, max_tokens=40, n=2)
    assert texts_of(events) == {choice["index"]: choice["text"] for choice in whole["choices"]}
    assert events[-1] == "[DONE]"
    assert events[-2]["choices"] == []
    assert events[-2]["usage"] == whole["usage"]
    ends = [one for event in events[:-2] for one in event["choices"] if one["finish_reason"] is not None]
    assert sorted((end["index"], end["seed"], end["finish_reason"]) for end in ends) == [
        (0, 1, "length"),
        (1, 2, "length"),
    ]
    assert len({event["id"] for event in events[:-1]}) == 1


def test_max_characters_cuts_exactly(gpt: httpx.Client) -> None:
    long = generate(gpt, max_tokens=200)["choices"][0]["text"]
    choice = generate(gpt, max_tokens=200, max_characters=17)["choices"][0]
    assert choice["text"] == long[:17]
    assert choice["finish_reason"] == "length"


@pytest.mark.parametrize("stream", [False, True])
def test_text_ends_before_a_stop_string(gpt: httpx.Client, stream: bool) -> None:
    long = generate(gpt, max_tokens=200)["choices"][0]["text"]
    stop = long[25:33]
    body = {"prompt": "ROMEO:", "seed": 1, "max_tokens": 200, "stop": ["\x00never", stop]}
    if stream:
        events = stream_text(gpt, **body)
        text, reason = texts_of(events)[0], events[-3]["choices"][0]["finish_reason"]
    else:
        choice = generate(gpt, **body)["choices"][0]
        text, reason = choice["text"], choice["finish_reason"]
    assert text == long[: long.index(stop)]
    assert reason == "stop"


def test_greedy_ignores_the_seed(gpt: httpx.Client) -> None:
    ways = [(0, 1), (0, 2), (5e-324, 3), (1e-40, 4), (9e-6, 5)]
    texts = {generate(gpt, temperature=one, seed=seed)["choices"][0]["text"] for one, seed in ways}
    assert len(texts) == 1
    assert generate(gpt, top_k=1, seed=9)["choices"][0]["text"] in texts


def test_logprobs_name_the_drawn_token_and_its_alternatives(gpt: httpx.Client) -> None:
    choice = generate(gpt, temperature=0, max_tokens=8, logprobs=3)["choices"][0]
    assert len(choice["logprobs"]) == 8
    for one in choice["logprobs"]:
        values = [alternative["logprob"] for alternative in one["top"]]
        assert len(values) == 3
        assert values == sorted(values, reverse=True)
        assert one["top"][0]["token"] == one["token"]  # greedy takes the likeliest
        assert one["logprob"] == pytest.approx(values[0])
        assert one["logprob"] <= 0
    assert "logprobs" not in generate(gpt)["choices"][0]


@pytest.mark.parametrize("stream", [False, True])
def test_attention_says_what_chosen_tokens_looked_at_and_changes_no_text(
    gpt: httpx.Client, stream: bool
) -> None:
    plain = generate(gpt, logprobs=0, max_tokens=300)["choices"][0]
    assert "attention" not in plain
    body = {"prompt": "ROMEO:", "seed": 1, "max_tokens": 300, "attention": [0, 7, 299]}
    if stream:
        events = stream_text(gpt, **body)
        pieces = [one for event in events[:-2] for one in event["choices"]]
        text, found = texts_of(events)[0], [entry for piece in pieces for entry in piece["attention"]]
    else:
        choice = generate(gpt, **body)["choices"][0]
        text, found = choice["text"], choice["attention"]
    assert text == plain["text"]
    tokens = [one["token"] for one in plain["logprobs"]]
    written = "".join(tokens)
    assert [entry["index"] for entry in found] == [0, 7, 299]
    for entry in found:
        assert entry["token"] == tokens[entry["index"]]
        seen = "".join(entry["context"])
        assert ("ROMEO:" + "".join(tokens[: entry["index"]])).endswith(seen)
        for layer in entry["weights"]:
            for head in layer:
                assert len(head) == len(entry["context"])
                assert sum(head) == pytest.approx(1, abs=0.01)
    assert "".join(found[1]["context"]) == "ROMEO:" + "".join(tokens[:7])
    assert written.startswith(text)


def test_empty_prompt_counts_as_a_newline(gpt: httpx.Client) -> None:
    empty, newline = generate(gpt, prompt=""), generate(gpt, prompt="\n")
    assert empty["choices"] == newline["choices"]


def test_a_long_prompt_keeps_its_end(gpt: httpx.Client) -> None:
    answer = generate(gpt, prompt="To be, or not to be. " * 1500)
    assert answer["usage"]["prompt_truncated"] is True
    too_long = gpt.post("/generate/text", json={"prompt": "x" * 32_769})
    assert too_long.status_code == 422
    assert too_long.json()["error"]["field"] == "prompt"


def test_generation_runs_past_the_window(gpt: httpx.Client) -> None:
    (context,) = [
        model["details"]["context"] for model in gpt.get("/models").json()["models"] if model["kind"] == "gpt"
    ]
    answer = generate(gpt, max_tokens=min(4096, context + 50))
    assert answer["usage"]["completion_tokens"] == min(4096, context + 50)


@pytest.mark.parametrize("prompt", ["naïve café", "日本語", "🙂 emoji", "tab\tand\x00nul"])
def test_any_unicode_prompt_gets_an_answer_or_a_422_that_names_it(gpt: httpx.Client, prompt: str) -> None:
    response = gpt.post("/generate/text", json={"prompt": prompt, "max_tokens": 5})
    if response.status_code == 422:
        error = response.json()["error"]
        assert error["field"] == "prompt"
        assert any(character in error["message"] for character in prompt if ord(character) > 126)
    else:
        assert response.status_code == 200
        response.json()["choices"][0]["text"].encode()  # real Unicode, no lone surrogates


@pytest.mark.parametrize("stream", [False, True])
def test_a_texts_nats_can_be_recomputed_from_prompt_logprobs(gpt: httpx.Client, stream: bool) -> None:
    text = "\nROMEO:\nBut, soft! what light through yonder window breaks?\n"
    body: dict[str, Any] = {"prompt": text, "max_tokens": 0, "prompt_logprobs": 1}
    if stream:
        (choice,) = [choice for event in stream_text(gpt, **body)[:-1] for choice in event["choices"]]
    else:
        (choice,) = generate(gpt, **body)["choices"]
    assert (choice["text"], choice["finish_reason"]) == ("", "length")
    first, *others = choice["prompt_logprobs"]
    assert first is None
    assert "".join(one["token"] for one in others) == text[1:]
    assert all(one["top"][0]["logprob"] >= one["logprob"] for one in others)
    assert 0.5 < -sum(one["logprob"] for one in others) / len(text) < 4


def test_fields_that_tame_a_model_do(gpt: httpx.Client) -> None:
    greedy = {"temperature": 0, "max_tokens": 60}
    plain = generate(gpt, **greedy)["choices"][0]
    pieces = [one["token"] for one in generate(gpt, **greedy, logprobs=0)["choices"][0]["logprobs"]]
    assert "".join(pieces) == plain["text"]
    tamed = generate(gpt, **greedy, logprobs=0, no_repeat_ngram_size=1)["choices"][0]["logprobs"]
    assert len({one["token"] for one in tamed}) == 60
    assert generate(gpt, **greedy, repetition_penalty=1.3)["choices"][0]["text"] != plain["text"]
    assert generate(gpt, min_p=1, max_tokens=60)["choices"][0]["text"] == plain["text"]
    assert generate(gpt, **greedy, ignore_eos=True)["choices"][0]["text"] == plain["text"]


@pytest.mark.parametrize("change", [{"logit_bias": {"99999999": 1}}, {"stop_token_ids": [99999999]}])
def test_token_ids_that_the_model_lacks_are_refused(gpt: httpx.Client, change: dict[str, Any]) -> None:
    response = gpt.post("/generate/text", json={"prompt": "x", **change})
    assert response.status_code == 422
    assert response.json()["error"]["field"] in change


@pytest.mark.parametrize("stream", [False, True])
def test_token_ids_and_timings_come_on_request(gpt: httpx.Client, stream: bool) -> None:
    body = {"n": 2, "return_token_ids": True, "return_timings": True, "logprobs": 0}
    if stream:
        events = stream_text(gpt, prompt="ROMEO:", seed=1, max_tokens=40, **body)
        pieces, usage = [one for event in events[:-2] for one in event["choices"]], events[-2]["usage"]
    else:
        answer = generate(gpt, **body)
        pieces, usage = answer["choices"], answer["usage"]
    for index in range(2):
        mine = [piece for piece in pieces if piece["index"] == index]
        assert sum(len(piece["token_ids"]) for piece in mine) == 40
        assert [len(piece["token_ids"]) for piece in mine] == [len(piece["logprobs"]) for piece in mine]
        assert len(mine[0]["prompt_token_ids"]) == usage["prompt_tokens"]
        assert all("prompt_token_ids" not in piece for piece in mine[1:])
        assert all("timings" not in piece for piece in mine[:-1])
        timings = mine[-1]["timings"]
        assert timings["queue_seconds"] >= 0
        assert timings["prefill_seconds"] > 0
        assert timings["tokens_per_second"] == pytest.approx(39 / timings["decode_seconds"], rel=0.01)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("path", ["/generate/text", "/v1/completions", "/v1/chat/completions"])
def test_the_tokens_listed_are_those_of_the_text(gpt: httpx.Client, path: str, stream: bool) -> None:
    whole = generate(gpt, n=2, temperature=1)["choices"][0]["text"]
    is_chat = path.endswith("chat/completions")
    body: dict[str, Any] = {"messages": [{"role": "user", "content": "Speak."}]} if is_chat else {}
    body |= {"seed": 1, "max_tokens": 40, "n": 2, "stop": whole[20:23], "return_token_ids": True}
    body |= {"temperature": 1, "stream": stream, "logprobs": True if is_chat else 2}
    body |= {} if is_chat else {"prompt": "ROMEO:"}
    if stream:
        events = [one for one in read_events(gpt, path, body) if one != "[DONE]"]
    else:
        events = [gpt.post(path, json=body).raise_for_status().json()]
    pieces = [piece for event in events for piece in event["choices"]]
    pieces = [piece for piece in pieces if piece.get("delta", {}).get("role") is None]
    for index in range(2):
        mine = [piece for piece in pieces if piece["index"] == index]
        given, listed = "", list[str]()
        for piece in mine:
            text, tokens = written_by(piece)
            given, listed = given + text, listed + tokens
            assert bool(tokens) <= bool(text)
            assert len(piece["token_ids"]) == len(tokens)
            assert "".join(listed).startswith(given)
        assert len("".join(listed[:-1])) < len(given)
        assert mine[-1]["finish_reason"] == "stop" or "".join(listed) == given
    if not is_chat:
        assert pieces[0]["index"] == 0
        assert whole.startswith("".join(written_by(one)[0] for one in pieces if one["index"] == 0))
        assert [one["finish_reason"] for one in pieces if one["index"] == 0][-1] == "stop"


def written_by(piece: dict[str, Any]) -> tuple[str, list[str]]:
    """The text of a choice or of a stream's piece, and its tokens, of whichever door."""
    logprobs = piece["logprobs"]
    if isinstance(logprobs, list):
        return piece["text"], [one["token"] for one in logprobs]
    if "tokens" in logprobs:
        return piece["text"], logprobs["tokens"]
    return (piece.get("message") or piece["delta"])["content"], [one["token"] for one in logprobs["content"]]
