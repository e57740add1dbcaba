"""Which tokens are listed: those of the text that is given, event by event, wherever it is cut."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from harness.device import TEST_DEVICE
from models.gpt.engine import TextEngine, TextEvent
from models.gpt.kernel import load_kernel
from models.gpt.request import TextRequest
from models.gpt.sampling import Sampler
from models.gpt.source import Drawn, HostSource, OpenSequence
from tests.models.gpt.small import complete, make_bpe, make_network, text_of
from tests.models.gpt.test_detokenizer import reference

END, STOPPING = 0, 1  # ids of the end token and of one that a request may stop at
FIRST = 2


@dataclass(eq=False)
class Script:
    """In place of a network: gives the tokens that were written down for the only sequence."""

    tokens: list[int]
    vocabulary: int
    slot: int = 0
    num_read: int = 0
    context: int = 32
    at: int = field(default=0)

    def open(
        self,
        tokens: list[int],
        sampler: Sampler,
        max_draws: int,
        score: object = None,
        rank: int | None = None,
    ) -> OpenSequence:
        return self

    def push(self, *tokens: int) -> None: ...
    def close(self, sequence: OpenSequence, is_spoilt: bool = False) -> None: ...

    def step(self, may_look: bool) -> Iterable[Drawn]:
        self.at += 1
        return [Drawn(self, [self.tokens[self.at - 1]], torch.zeros(self.vocabulary))]


@dataclass
class Pieces:
    """A tokenizer of these."""

    pieces: list[bytes]
    name: str = "any"

    def encode(self, text: str) -> list[int]:
        return [FIRST]

    def to_json(self) -> bytes:
        return b""


ENGINE = TextEngine(make_network(64, end_token=END), Pieces([b"x"] * 64), 1)
BITS = [
    *(character.encode() for character in ("a", "a", "b", "€", "😀", "\ufffd")),
    b"\xe2",
    b"\x82",
    b"\xff",
]


def scripted(pieces: list[bytes | None], request: TextRequest) -> list[TextEvent]:
    """What the engine gives of a text of these tokens; None is the end token."""
    kinds = list(dict.fromkeys(piece for piece in pieces if piece is not None))
    ENGINE.tokenizer = Pieces([b"<end>", b"<stop>", *kinds, *[b"x"] * (62 - len(kinds))])
    ids = [END if piece is None else kinds.index(piece) + FIRST for piece in pieces]
    ENGINE.source = Script(ids, 64)  # type: ignore[assignment]
    return complete(ENGINE, replace(request, max_tokens=len(ids)))


def num_begun(pieces: list[bytes | None], num_characters: int) -> int:
    """How many of the tokens that are text have their first byte in so many characters."""
    begins, data = [], b""
    for piece in filter(None, pieces):
        begins.append(len((data + piece[:1]).decode("utf-8", "replace")) - 1)
        data += piece
    return sum(begin < num_characters for begin in begins)


texts = st.lists(st.sampled_from(BITS), min_size=1, max_size=14).map(b"".join)
cuts = st.lists(st.integers(0, 20), max_size=8)
stops = st.lists(st.text("aab€\ufffd", min_size=1, max_size=4), max_size=3)


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts, cuts, st.lists(st.integers(0, 8), max_size=2), stops, st.none() | st.integers(1, 14))
@example(b"ab\xe2A", [2, 3], [], ["A"], None)  # what follows half a character is of the next one
@example("a€".encode(), [2, 3], [1], ["€"], None)
def test_the_listed_tokens_are_those_of_the_text(
    data: bytes, borders: list[int], ends: list[int], stop: list[str], limit: int | None
) -> None:
    edges = [0, *sorted(min(one, len(data)) for one in borders), len(data)]
    pieces: list[bytes | None] = [
        data[first:last] for first, last in itertools.pairwise(edges) if first < last
    ]
    for place in ends:
        pieces.insert(min(place, len(pieces)), None)
    request = TextRequest("p", 1, stop=tuple(stop), max_characters=limit, logprobs=1, ignore_eos=True)
    events = scripted(pieces, replace(request, return_token_ids=True))
    whole = data.decode("utf-8", "replace")
    text, is_stopped, is_full = reference(whole, tuple(stop), limit)
    assert (text_of(events), events[-1].finish_reason) == (text, "stop" if is_stopped else "length")
    given_text, listed = "", 0
    for event in events:
        given_text += event.text
        listed += len(event.logprobs)
        assert [one.token for one in event.logprobs] == [
            piece or b"" for piece in pieces[listed - len(event.logprobs) : listed]
        ]
        assert len(event.token_ids) == len(event.logprobs)
        assert sum(map(bool, pieces[:listed])) == num_begun(pieces, len(given_text))
    if not is_stopped and not is_full:
        assert listed == len(pieces)
    spelt = b"".join(piece or b"" for piece in pieces[:listed])
    assert spelt.decode("utf-8", "replace").startswith(text)
    assert sum(event.num_tokens for event in events) >= listed


@pytest.mark.parametrize("stop_token_ids", [(), (STOPPING,)])
def test_a_token_that_ends_the_text_is_none_of_it(stop_token_ids: tuple[int, ...]) -> None:
    ENGINE.tokenizer = Pieces([b"<end>", b"<stop>", b"a", b"\xe2", *[b"x"] * 60])
    ENGINE.source = Script([2, 3, *(stop_token_ids or (END,))], 64)  # type: ignore[assignment]
    request = TextRequest("p", 1, stop_token_ids=stop_token_ids, logprobs=0, return_token_ids=True)
    events = complete(ENGINE, request)
    assert (text_of(events), events[-1].finish_reason) == ("a\ufffd", "stop")
    assert [one.token for event in events for one in event.logprobs] == [b"a", b"\xe2"]
    assert [one for event in events for one in event.token_ids] == [2, 3]
    assert sum(event.num_tokens for event in events) == 3


@pytest.fixture(scope="module", params=["eager", "kernel", "device"])
def engine(request: pytest.FixtureRequest) -> TextEngine:
    tokenizer, kernel = make_bpe(), None
    network = make_network(len(tokenizer.pieces))
    if request.param == "kernel" and (kernel := load_kernel()) is None:
        pytest.skip("needs the compiled kernel: python -m models.build --here")
    if request.param == "device":
        return TextEngine(network.to(TEST_DEVICE), tokenizer, 3, draws_on_device=True)
    engine = TextEngine(network, tokenizer, 3, kernel=kernel)
    assert isinstance(engine.source, HostSource)
    assert (engine.source.decoder.kernel is None) == (kernel is None)
    return engine


@pytest.mark.parametrize("seed", range(6))
def test_every_backend_lists_the_same_tokens_up_to_the_cut(engine: TextEngine, seed: int) -> None:
    asked = TextRequest("hear me", seed, 60, logprobs=2, attention=(1, 20, 59), return_token_ids=True)
    whole = complete(engine, asked)
    ids = [one for event in whole for one in event.token_ids]
    scores = [one for event in whole for one in event.logprobs]
    assert len(ids) == len(scores) == sum(event.num_tokens for event in whole) == 60
    assert [one.index for event in whole for one in event.attention] == [1, 20, 59]
    text = text_of(whole)
    at = 25 + seed
    for one_cut in (replace(asked, stop=(text[at : at + 3],)), replace(asked, max_characters=at)):
        cut = complete(engine, one_cut)
        listed = [one for event in cut for one in event.logprobs]
        assert listed == scores[: len(listed)]
        assert [one for event in cut for one in event.token_ids] == ids[: len(listed)]
        spelt = [b"".join(one.token for one in listed[:end]) for end in (-1, len(listed))]
        shorter, longer = (data.decode("utf-8", "replace") for data in spelt)
        assert longer.startswith(text_of(cut))
        assert len(shorter) < len(text_of(cut)) + shorter.endswith("\ufffd")
        assert [one.index for event in cut for one in event.attention] == [
            index for index in (1, 20, 59) if index < len(listed)
        ]
