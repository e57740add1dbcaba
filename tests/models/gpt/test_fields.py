"""What ends a text or keeps it from ending, and the log-probabilities of a prompt."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from models.errors import RequestError
from models.gpt.engine import TextEngine
from models.gpt.network import CausalAttention
from models.gpt.request import TextRequest
from tests.models.gpt.small import ALPHABET, GPT2, complete, make_engine, text_of

REQUEST = TextRequest("hear me", seed=11, max_tokens=40)


@pytest.fixture(scope="module", params=[False, True], ids=["host", "device"])
def engine(request: pytest.FixtureRequest) -> TextEngine:
    return make_engine(draws_on_device=request.param)


def ids_of(text: str) -> list[int]:
    return [ALPHABET.index(character) for character in text]


def test_a_stop_token_ends_the_text_before_itself(engine: TextEngine) -> None:
    whole = text_of(complete(engine, REQUEST))
    ending = ids_of(whole)[9]
    events = complete(engine, replace(REQUEST, stop_token_ids=(ending,)))
    assert text_of(events) == whole[: whole.index(ALPHABET[ending])]
    assert events[-1].finish_reason == "stop"


def test_before_min_tokens_nothing_stops_but_the_limit(engine: TextEngine) -> None:
    space = ALPHABET.index(" ")
    events = complete(engine, replace(REQUEST, stop_token_ids=(space,), min_tokens=30, max_tokens=2000))
    assert len(events) > 30
    assert events[-1].finish_reason == "stop"
    assert " " not in text_of(events)
    whole = text_of(complete(engine, REQUEST))
    stops = tuple(whole[i : i + 2] for i in (3, 19, 20))
    events = complete(engine, replace(REQUEST, stop=stops[:1], min_tokens=5))
    assert events[-1].finish_reason == "length" or whole.find(stops[0], 5) >= 5
    events = complete(engine, replace(REQUEST, stop=stops[2:], min_tokens=20))
    assert text_of(events) == whole[: whole.index(stops[2], 20)]
    assert complete(engine, replace(REQUEST, min_tokens=40))[-1].finish_reason == "length"


@pytest.mark.parametrize("draws_on_device", [False, True], ids=["host", "device"])
def test_the_end_token_can_be_ignored(draws_on_device: bool) -> None:
    plain = make_engine(draws_on_device=draws_on_device)
    greedy = replace(REQUEST, temperature=0.0)
    whole = text_of(complete(plain, greedy))
    end = ids_of(whole)[5]
    engine = make_engine(draws_on_device=draws_on_device, end_token=end)
    assert text_of(complete(engine, greedy)) == whole[: whole.index(ALPHABET[end])]
    events = complete(engine, replace(greedy, ignore_eos=True))
    assert (len(events), events[-1].finish_reason) == (40, "length")
    assert text_of(events) == whole.replace(ALPHABET[end], "")


def test_a_bias_and_an_ngram_ban_rule_what_is_drawn(engine: TextEngine) -> None:
    only = ALPHABET.index("Q")
    assert text_of(complete(engine, replace(REQUEST, logit_bias={only: 100.0}))) == "Q" * 40
    text = text_of(complete(engine, replace(REQUEST, logit_bias={only: 20.0}, no_repeat_ngram_size=2)))
    pairs = [text[i : i + 2] for i in range(len(text) - 1)]
    assert len(set(pairs)) == len(pairs) == 39


@pytest.mark.parametrize("draws_on_device", [False, True], ids=["host", "device"])
@pytest.mark.parametrize("changes", [{}, GPT2], ids=["rope", "learned"])
@pytest.mark.parametrize("length", [1, 2, 20, 32, 45])
def test_prompt_logprobs_are_the_networks_own(
    changes: dict[str, Any], length: int, draws_on_device: bool
) -> None:
    engine = make_engine(draws_on_device=draws_on_device, **changes)
    prompt = (ALPHABET * 2)[3 : 3 + length]
    request = TextRequest(prompt, seed=1, max_tokens=0, prompt_logprobs=2)
    engine.admit(1, TextRequest("O", seed=5, max_tokens=60))
    engine.step()
    events: list[Any] = []
    engine.admit(0, request)
    while not events:
        events = [event for event in engine.step() if event.key == 0]
    event = events[0]
    assert (event.text, event.num_tokens, event.finish_reason) == ("", 0, "length")
    given = event.prompt_logprobs
    assert given is not None
    assert len(given) == event.prompt_tokens == length
    cut = max(0, length - 32)  # what was cut off at the window, and the first token, have none
    assert [one.logprob is None for one in given] == [i <= cut for i in range(length)]
    assert b"".join(one.token for one in given) == prompt.encode()
    tokens = torch.tensor([ids_of(prompt)[cut:]])
    network = engine.source.network.cpu()
    wanted = torch.log_softmax(network.logits(network(tokens, CausalAttention()))[0], -1)
    for i, one in enumerate(given[cut + 1 :]):
        assert one.token.decode() == prompt[cut + i + 1]
        assert one.logprob == pytest.approx(wanted[i, tokens[0, i + 1]].item(), abs=1e-4)
        assert [value for _, value in one.top] == pytest.approx(wanted[i].topk(2).values.tolist(), abs=1e-4)


def test_prompt_logprobs_come_once_with_the_first_event(engine: TextEngine) -> None:
    events = complete(engine, replace(REQUEST, prompt_logprobs=0))
    assert [event.prompt_logprobs is None for event in events] == [False] + [True] * 39
    assert text_of(events) == text_of(complete(engine, REQUEST))


@pytest.mark.parametrize("field", [{"logit_bias": {900: 1.0}}, {"stop_token_ids": (2, 900)}])
def test_token_ids_must_be_the_models(engine: TextEngine, field: dict[str, Any]) -> None:
    with pytest.raises(RequestError, match="no token 900") as refused:
        engine.admit(9, replace(REQUEST, **field))
    assert refused.value.field in field
    assert engine.num_running == 0


def test_a_prompt_of_token_ids_is_the_prompt_that_they_spell(engine: TextEngine) -> None:
    assert REQUEST.prompt == "hear me"
    spelt = replace(REQUEST, prompt=tuple(ids_of("hear me")))
    assert text_of(complete(engine, spelt)) == text_of(complete(engine, REQUEST))
    beyond = len(ALPHABET)
    for prompt, why in (((3, beyond), f"no token {beyond}"), ((-1,), "no token -1"), ((), "no token of")):
        with pytest.raises(RequestError, match=why) as caught:
            engine.admit(1, replace(REQUEST, prompt=prompt))
        assert caught.value.field == "prompt"
    assert engine.num_running == 0


def test_token_ids_are_told_on_request(engine: TextEngine) -> None:
    events = complete(engine, replace(REQUEST, return_token_ids=True))
    assert [token for event in events for token in event.token_ids] == ids_of(text_of(events))
    assert list(events[0].prompt_token_ids) == ids_of("hear me")
    assert not any(event.prompt_token_ids for event in events[1:])
    assert not any(event.token_ids or event.prompt_token_ids for event in complete(engine, REQUEST))
    greedy = replace(REQUEST, temperature=0.0, return_token_ids=True)
    ending = complete(engine, greedy)[0].token_ids[0]
    (event,) = complete(engine, replace(greedy, stop_token_ids=(ending,)))
    assert (event.text, list(event.token_ids), event.num_tokens) == ("", [], 1)  # drawn, but none of the text
    (event,) = complete(engine, replace(greedy, max_tokens=0))
    assert (list(event.token_ids), list(event.prompt_token_ids)) == ([], ids_of("hear me"))
