"""What waiting prompts may take of a step: never so much that the rows that draw lose their pace."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from models.gpt.backend import Chunk
from models.gpt.decoding import Decoder
from models.gpt.kernel import load_kernel
from models.gpt.prompt_queue import BUDGET, CHUNK, OVERTAKEN, PromptQueue
from tests.models.gpt.small import GPT2, make_network

VOCABULARY = 60


@dataclass(eq=False)
class Prompt:
    pending: list[int]
    cuts: list[int] = field(default_factory=list)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.integers(1, 700), min_size=1, max_size=9),
    st.lists(st.integers(0, 40), min_size=1, max_size=30),
    st.sampled_from([(3, True), (8, True), (64, False)]),
)
def test_prompts_are_read_in_order_and_take_no_more_than_their_share(
    lengths: list[int], rows: list[int], kind: tuple[int, bool]
) -> None:
    share, cuts_freely = kind
    prompts = [Prompt(list(range(length))) for length in lengths]
    queue = PromptQueue[Prompt](share, cuts_freely)
    for prompt in prompts:
        queue.add(prompt)
    allowed, taken, num_steps = BUDGET, 0, 0
    while list(queue):
        num_rows = rows[num_steps % len(rows)]
        num_steps += 1
        allowed += max(share, num_rows) if num_rows else BUDGET
        queue.earn(num_rows)
        parts = queue.next_parts()
        assert [prompt for prompt, _ in parts] == list(queue)[: len(parts)]
        assert sum(len(tokens) for _, tokens in parts) <= BUDGET
        for prompt, tokens in parts:
            assert tokens == prompt.pending[: len(tokens)]
            assert cuts_freely or len(tokens) == min(CHUNK, len(prompt.pending))
            taken += len(tokens)
            prompt.pending = prompt.pending[len(tokens) :]
            if not prompt.pending:
                queue.remove(prompt)
        assert taken <= allowed
        assert num_steps < 10_000
    assert taken == sum(lengths)


def test_who_has_fewest_texts_comes_first_but_passes_nobody_for_ever() -> None:
    queue = PromptQueue[Prompt](3, True)
    flood = [Prompt([1] * 6) for _ in range(4)]
    for rank, prompt in enumerate(flood):
        queue.add(prompt, rank)
    other = Prompt([2] * 6)
    queue.add(other)
    assert list(queue) == [flood[0], other, *flood[1:]]
    assert queue.next_parts(10) == [(flood[0], [1] * 6), (other, [2] * 4)]
    later = [Prompt([3]) for _ in range(OVERTAKEN)]
    for prompt in later:
        queue.add(prompt)
    order = list(queue)
    assert order.index(later[0]) < order.index(flood[1]) < order.index(later[-1])
    assert order[-2:] == flood[2:]


@pytest.mark.parametrize("changes", [{}, GPT2], ids=["rope", "learned"])
@pytest.mark.parametrize("is_compiled", [False, True], ids=["eager", "kernel"])
def test_a_text_draws_at_each_step_whatever_waits(
    is_compiled: bool, changes: dict[str, object], monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = load_kernel() if is_compiled else None
    if is_compiled and kernel is None:
        pytest.skip("needs the compiled kernel: python -m models.build --here")
    decoder = Decoder(make_network(VOCABULARY, max_seq_len=1024, **changes), 12, kernel)
    sizes: list[int] = []
    read = decoder.backend.read

    def noted(chunks: Sequence[Chunk]) -> Tensor:
        sizes.append(sum(len(chunk.tokens) for chunk in chunks))
        return read(chunks)

    monkeypatch.setattr(decoder.backend, "read", noted)
    text = decoder.open([1])
    assert decoder.step()[0] == [text]
    waiting = [decoder.open([2] * 700) for _ in range(4)] + [decoder.open([3] * 5) for _ in range(4)]
    sizes.clear()
    for _ in range(300):
        text.push(4)
        ready, _ = decoder.step()
        assert text in ready
        for sequence in ready:
            if sequence is not text:  # as soon as one is read, the next comes
                waiting.remove(sequence)
                decoder.close(sequence)
                waiting.append(decoder.open([2] * 700))
    assert len(sizes) == 300
    assert sum(sizes) <= 300 * (1 + decoder.backend.prompt_share) + BUDGET
    assert sum(sizes) > 300 * decoder.backend.prompt_share  # nor less, as long as something waits


def test_those_that_read_again_and_new_prompts_do_not_starve_each_other() -> None:
    decoder = Decoder(make_network(VOCABULARY, max_seq_len=64, **GPT2), 12)
    texts = [decoder.open([token]) for token in range(8)]
    newcomer, drawn, num_steps = None, dict.fromkeys(texts, 0), 0
    for num_steps in range(400):
        if num_steps == 100:
            newcomer = decoder.open([9] * 60)
        ready, _ = decoder.step()
        for sequence in ready:
            if sequence is newcomer:
                break
            sequence.push(5)
            drawn[sequence] += 1
        else:
            continue
        break
    assert num_steps < 150
    assert min(drawn.values()) > 50
