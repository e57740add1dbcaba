"""The compiled kernel does what PyTorch's operators do, with a row's own bits, in every instruction set.

Sets that this processor lacks are skipped by name; their vector width, panels and tiles are tested on it all
the same, by emulation.
"""

from __future__ import annotations

import itertools
import random
from pathlib import Path
from typing import Any, Literal

import pytest
import torch

from models.build import LEVELS, build, find_compiler, instruction_sets, kernel_path
from models.gpt.attention_probe import attention_weights
from models.gpt.backend import Chunk
from models.gpt.compiled import CompiledBackend
from models.gpt.decoding import Decoder
from models.gpt.determinism import is_row_invariant
from models.gpt.engine import TextEngine
from models.gpt.kernel import Format, Kernel, load_kernel
from models.gpt.network import GPT, CausalAttention
from models.gpt.panels import GRIDS, from_panels, to_panels, to_whole
from models.gpt.sampling import Sampler, choose
from tests.models.gpt.small import GPT2, complete, make_bpe, make_network
from tests.models.gpt.test_determinism import make_requests, outcome, run_crowd
from tests.models.gpt.test_sampling import fields_of

ALL_LEVELS = [level for levels in LEVELS.values() for level in levels]
EMULATED = {"wide": ("-DEMULATE_WIDE",), "tiles": ("-DEMULATE_WIDE", "-DEMULATE_TILES")}
SHAPE = {"hidden_size": 128, "heads": 4, "kv_heads": 2, "mlp_width": 96, "max_seq_len": 64}

# Each setting of each part at least once with each of any other part; sizes that fill no panel.
BLOCKS = [
    {"positions": positions, "norm": norm, "mlp": mlp, "bias": bias, "qk_norm": qk_norm, "tied": tied}
    for positions, norm, mlp, bias, qk_norm, tied in itertools.product(
        ("rope", "learned"), ("rms", "layer"), ("swiglu", "gelu", "gelu_tanh"), *[(False, True)] * 3
    )
]
WHOLE: list[Literal["int16", "int8"]] = ["int16", "int8"]
SIZES = [
    {"hidden_size": 64, "heads": 8, "kv_heads": 8, "mlp_width": 100, "max_seq_len": 50},  # heads of 8
    {"hidden_size": 120, "heads": 3, "kv_heads": 1, "mlp_width": 91, "max_seq_len": 33},  # of 40
    {"hidden_size": 96, "heads": 4, "kv_heads": 2, "mlp_width": 256, "max_seq_len": 64},  # of 24
    {"hidden_size": 128, "heads": 1, "kv_heads": 1, "mlp_width": 40, "max_seq_len": 16},  # of 128
]


@pytest.fixture(scope="module", params=[*ALL_LEVELS, *EMULATED])
def kernel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    compiler, levels = find_compiler(), instruction_sets()
    if compiler is None or not levels:
        pytest.skip("needs a C++ compiler, and a processor that there is a kernel for")
    if request.param not in (*levels, *EMULATED):
        pytest.skip(f"this processor lacks {request.param}")
    level = levels[-1] if request.param in EMULATED else request.param
    path = build(compiler, level, tmp_path_factory.mktemp("compiled"), EMULATED.get(request.param, ()))
    loaded = Kernel(path)
    assert loaded.level == level
    return loaded


def network_of(vocabulary: int = 61, **changes: Any) -> GPT:
    """A network whose norms and biases count, too."""
    network = make_network(vocabulary, **{**SHAPE, **changes})
    for parameter in network.parameters():
        if parameter.dim() == 1:
            parameter.add_(0.2 * torch.randn(parameter.shape))
    return network


def assert_close(given: torch.Tensor, wanted: torch.Tensor) -> None:
    """The cache has 8 bits of each number."""
    assert (given - wanted).abs().max() < 0.03 * wanted.abs().max()
    assert (given - wanted).norm() < 0.015 * wanted.norm()


def rounded(network: GPT) -> GPT:
    for parameter in network.parameters():
        if parameter.dim() > 1:
            parameter.copy_(parameter.bfloat16().float())
    return network


@pytest.mark.parametrize("block", BLOCKS, ids=lambda block: "-".join(map(str, block.values())))
def test_every_block_gives_the_logits_of_the_network(kernel: Kernel, block: dict[str, Any]) -> None:
    for size in SIZES:
        network = rounded(network_of(53, **size, **block))
        backend = CompiledBackend(network, 3, kernel, "bfloat16")
        length = size["max_seq_len"]
        tokens = torch.randint(53, (length,), generator=torch.Generator().manual_seed(1)).tolist()
        half = length // 2
        given = torch.cat(
            [
                backend.read([Chunk(0, 0, [3]), Chunk(1, 0, tokens[:half], is_scored=True)])[1:],
                backend.read([Chunk(1, half, tokens[half:], is_scored=True)]),
            ]
        )
        assert_close(given, network.logits(network(torch.tensor([tokens]), CausalAttention()))[0])


def on_grid(weights: torch.Tensor, kind: Literal["int16", "int8"]) -> torch.Tensor:
    """Weights (N, K) rounded to whole numbers: by a scale in bfloat16 for each group of a row."""
    group, most, _ = GRIDS[kind]
    groups = torch.nn.functional.pad(weights, (0, -weights.shape[1] % group)).reshape(len(weights), -1, group)
    exact = groups.abs().amax(-1, keepdim=True) / most
    above = torch.nextafter(exact.bfloat16(), torch.tensor(torch.inf, dtype=torch.bfloat16)).float()
    scales = torch.where(exact.bfloat16().float() < exact, above, exact.bfloat16().float())
    return ((groups / scales).nan_to_num().round() * scales).flatten(1)[:, : weights.shape[1]]


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("block", BLOCKS[::5], ids=lambda block: "-".join(map(str, block.values())))
def test_whole_numbers_give_the_logits_of_a_network_that_is_rounded_so(
    kernel: Kernel, block: dict[str, Any], kind: Literal["int16", "int8"]
) -> None:
    for size in SIZES:
        network = network_of(53, **size, **block)
        backend = CompiledBackend(network, 3, kernel, kind)
        for name, parameter in network.named_parameters():
            if parameter.dim() == 2 and "embedding" not in name:
                parameter.copy_(on_grid(parameter, kind))
        head = network.embedding.weight if network.config.tied else network.head.weight
        tokens = [i * 5 % 53 for i in range(size["max_seq_len"])]
        given = backend.read([Chunk(0, 0, [3]), Chunk(1, 0, tokens, is_scored=True)])[1:]
        states = network(torch.tensor([tokens]), CausalAttention())[0]
        assert_close(given, torch.nn.functional.linear(states, on_grid(head, kind)))


def test_a_small_head_keeps_16_bits_beside_bytes(kernel: Kernel) -> None:
    network = rounded(network_of(53))
    for name, parameter in network.named_parameters():
        if name.endswith(("attention.out.weight", "mlp.out.weight")):
            parameter.zero_()  # logits are the head's own
    given = CompiledBackend(network, 1, kernel, "int8").read([Chunk(0, 0, [3])])[0]
    states = network(torch.tensor([[3]]), CausalAttention())[0, 0]
    in_bytes = torch.nn.functional.linear(states, on_grid(network.embedding.weight, "int8"))
    wanted = network.logits(states)
    assert (given - wanted).norm() < 0.5 * (in_bytes - wanted).norm()


@pytest.mark.parametrize("kind", WHOLE)
def test_the_largest_numbers_do_not_overflow(kernel: Kernel, kind: Literal["int16", "int8"]) -> None:
    network = network_of(53)
    for parameter in network.parameters():
        if parameter.dim() == 2:
            parameter.copy_(parameter.sign())  # each is the largest of its group
    given = CompiledBackend(network, 1, kernel, kind).read([Chunk(0, 0, [3, 5])])
    assert_close(given[0], network.logits(network(torch.tensor([[3, 5]]), CausalAttention()))[0, -1])


@pytest.mark.parametrize("kind", WHOLE)
def test_the_largest_numbers_of_many_rows_have_the_bits_of_each_alone(
    kernel: Kernel, kind: Literal["int16", "int8"]
) -> None:
    network = network_of(53)
    for parameter in network.parameters():
        if parameter.dim() == 2:
            parameter.copy_(parameter.sign())
    backend = CompiledBackend(network, 45, kernel, kind)
    together = backend.read([Chunk(slot, 0, [slot]) for slot in range(45)])
    for slot in range(45):
        assert torch.equal(backend.read([Chunk(slot, 0, [slot])])[0], together[slot])


@pytest.mark.parametrize("kind", WHOLE)
@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_what_is_no_number_stays_none(kernel: Kernel, kind: Literal["int16", "int8"], bad: float) -> None:
    network = network_of(53, tied=False)
    network.embedding.weight[3, 5] = bad
    given = CompiledBackend(network, 2, kernel, kind).read([Chunk(0, 0, [3]), Chunk(1, 0, [4])])
    assert given[0].isnan().all()
    assert given[1].isfinite().all()


@pytest.mark.parametrize("kind", WHOLE)
def test_whole_numbers_lie_where_the_kernel_looks_for_them(
    kernel: Kernel, kind: Literal["int16", "int8"]
) -> None:
    group, _, dtype = GRIDS[kind]
    weights = torch.randn(3 * kernel.panel - 5, 2 * group - 6)
    blocks = to_whole(weights, kernel, kind)  # (panels, groups, bytes)
    numbers, scales = blocks.split([group * kernel.panel * dtype.itemsize, 2 * kernel.panel], -1)
    numbers = numbers.contiguous().view(dtype).reshape(3, 2, group // 2, 2, kernel.lanes, 2)
    columns = scales.contiguous().view(torch.bfloat16).reshape(3, 2, kernel.lanes, 2).permute(0, 3, 2, 1)
    back = numbers.permute(0, 3, 4, 1, 2, 5).reshape(3 * kernel.panel, 2, group)
    scaled = (back * columns.reshape(3 * kernel.panel, 2, 1).float()).flatten(1)
    torch.testing.assert_close(scaled[: len(weights), : weights.shape[1]], on_grid(weights, kind))


@pytest.mark.parametrize("block", [{}, GPT2], ids=["modern", "gpt2"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_weights_of_any_kind_of_file_are_served(
    kernel: Kernel, block: dict[str, Any], dtype: torch.dtype
) -> None:
    network = network_of(61, **block)
    for parameter in network.parameters():
        parameter.copy_(parameter.to(dtype).float())
    decoder = Decoder(network, 2, kernel)
    assert decoder.kernel is kernel
    decoder.open([5, 6, 7])
    _, logits = decoder.step()
    assert_close(logits[0], network.logits(network(torch.tensor([[5, 6, 7]]), CausalAttention()))[0, -1])


def test_logits_are_those_of_the_network_past_the_window(kernel: Kernel) -> None:
    network = rounded(network_of(61))
    decoder = Decoder(network, 3, kernel)
    assert decoder.kernel is kernel
    tokens = torch.randint(61, (23,), generator=torch.Generator().manual_seed(1)).tolist()
    given_at: dict[int, torch.Tensor] = {}
    decoder.open([5, 6, 7])
    sequence = decoder.open(list(tokens))
    for _ in range(100):
        ready, logits = decoder.step()
        for row, given in zip(ready, logits, strict=True):
            row.push(int(given.argmax()))
            if row is sequence:
                given_at[len(tokens)] = given
                tokens.append(int(given.argmax()))
    wanted = network.logits(network(torch.tensor([tokens]), CausalAttention(window=64)))[0]
    for num_read, given in given_at.items():
        assert_close(given, wanted[num_read - 1])
    assert len(given_at) == 100


def test_a_context_of_4096_is_read_to_its_end(kernel: Kernel) -> None:
    network = rounded(network_of(61, hidden_size=32, heads=2, kv_heads=1, num_layers=1, max_seq_len=4096))
    tokens = torch.randint(61, (4096,), generator=torch.Generator().manual_seed(2)).tolist()
    backend = CompiledBackend(network, 1, kernel)
    for first in range(0, 4096, 128):
        given = backend.read([Chunk(0, first, tokens[first : first + 128])])
    assert_close(given[0], network.logits(network(torch.tensor([tokens]), CausalAttention()))[0, -1])


@pytest.fixture(params=[1, 2, 3])
def threads(request: pytest.FixtureRequest) -> Any:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    ("block", "weights"),
    [*((block, "bfloat16") for block in (*BLOCKS[::19], {}, GPT2)), *itertools.product(({}, GPT2), WHOLE)],
    ids=lambda part: part if isinstance(part, str) else "-".join(map(str, part.values())),
)
def test_rows_and_chunks_do_not_depend_on_their_company(
    kernel: Kernel, block: dict[str, Any], weights: Format
) -> None:
    decoder = Decoder(network_of(300, **block), 40, kernel, weights)
    assert decoder.kernel is kernel
    assert is_row_invariant(decoder)
    tokens = [i * 7 % 300 for i in range(60)]
    whole = decoder.backend.read([Chunk(0, 0, tokens, is_scored=True)])
    for i in range(60):
        company = [Chunk(slot, i, [slot]) for slot in range(2, 2 + i % 30)]
        last = decoder.backend.read([*company, Chunk(1, i, [tokens[i]])])[-1]
        assert torch.equal(whole[i], last)


@pytest.mark.parametrize("block", [{}, GPT2], ids=["llama", "gpt2"])
def test_logits_do_not_depend_on_which_are_asked_for(kernel: Kernel, block: dict[str, Any]) -> None:
    backend = CompiledBackend(network_of(300, **{**block, "max_seq_len": 192}), 4, kernel)
    tokens = [i * 7 % 300 for i in range(180)]
    every = backend.read([Chunk(0, 0, tokens, is_scored=True)])
    for length in (63, 64, 65, 150):  # nothing is asked of the first passes of the longest
        company = [Chunk(2, 0, [5] * 9), Chunk(3, 0, tokens[:20], is_scored=True)]
        rows = backend.read([company[0], Chunk(1, 0, tokens[:length]), company[1]])
        assert torch.equal(rows[1], every[length - 1])
        assert torch.equal(rows[2:], every[:20])
        rest = [Chunk(1, i, [tokens[i]]) for i in range(length, length + 5)]  # over what was not asked for
        assert torch.equal(torch.cat([backend.read([chunk]) for chunk in rest]), every[length : length + 5])


def test_any_number_of_threads_gives_the_same_bits(kernel: Kernel) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(4)
    try:
        backend = CompiledBackend(network_of(301, **GPT2), 40, kernel)
    finally:
        torch.set_num_threads(before)
    for num_rows in (1, 3, 8, 40):
        chunks = [Chunk(slot, 0, [slot]) for slot in range(num_rows)]
        alone = backend.read_with(1, chunks)
        for num_threads in (2, 3, 4):
            for _ in range(20):
                assert torch.equal(backend.read_with(num_threads, chunks), alone)


def test_threads_are_measured_for_prompts_of_more_tokens_than_slots(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, sizes = [0.0], set()

    def read_with(_: CompiledBackend, num_threads: int, chunks: list[Chunk]) -> None:
        clock[0] += num_threads  # one is always best, so that every size is tried
        sizes.add(sum(len(chunk.tokens) for chunk in chunks))

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        backend = CompiledBackend(network_of(61), 3, kernel)
    finally:
        torch.set_num_threads(before)
    monkeypatch.setattr(CompiledBackend, "read_with", read_with)
    monkeypatch.setattr("models.gpt.compiled.time.perf_counter", lambda: clock[0])
    backend.measure_threads()
    assert sizes == {1, 2, 4, 8, 16, 32, 64, 128}


@pytest.mark.parametrize("block", [{}, GPT2], ids=["modern", "gpt2"])
def test_texts_do_not_depend_on_neighbours(kernel: Kernel, block: dict[str, Any]) -> None:
    tokenizer = make_bpe()
    chance = random.Random(2)
    engine = TextEngine(network_of(len(tokenizer.pieces), **block), tokenizer, 13, kernel=kernel)
    assert engine.describe()["determinism"] == "bitwise"
    assert engine.describe()["kernel"] == kernel.level
    requests = make_requests(40, chance)
    crowd = run_crowd(engine, requests, chance)
    assert len(crowd) > 30
    for key, given in crowd.items():
        assert given == outcome(complete(engine, requests[key])), requests[key]


@pytest.mark.parametrize("vocabulary", [57, 1024])
def test_draws_are_those_of_the_eager_sampler(kernel: Kernel, vocabulary: int) -> None:
    chance = random.Random(3)

    def samplers() -> list[Sampler]:
        dials = random.Random(4)
        made = [
            Sampler(seed, prompt=[seed % vocabulary] * 3, **fields_of(dials, vocabulary))
            for seed in range(500)
        ]
        for sampler in made:
            sampler.record(dials.randrange(vocabulary))
        return made

    # Whole numbers: many are equal, and some stand at every threshold.
    logits = torch.tensor([[chance.randint(-6, 6) for _ in range(vocabulary)] for _ in range(500)]).float()
    padded = torch.nn.functional.pad(logits, (0, 7), value=100.0)[:, :vocabulary]
    assert kernel.choose(padded, samplers()) == choose(logits, samplers())
    logits = torch.randn(500, vocabulary, generator=torch.Generator().manual_seed(5)) * 4
    assert kernel.choose(logits, samplers()) == choose(logits, samplers())


def test_matrices_come_back_out_of_their_panels(kernel: Kernel) -> None:
    matrix = torch.arange(3.0 * kernel.panel * 6).reshape(3 * kernel.panel, 6).bfloat16()
    panels = to_panels(matrix, kernel).flatten(1)
    assert torch.equal(from_panels(panels, kernel, 6), matrix)


@pytest.mark.parametrize("block", [{}, GPT2 | {"max_seq_len": 40}], ids=["modern", "gpt2"])
def test_attention_weights_are_read_out_of_panels(kernel: Kernel, block: dict[str, Any]) -> None:
    network = rounded(network_of(61, **block))
    tokens = [i * 5 % 61 for i in range(20)]
    seen = []
    for decoder in (Decoder(network, 2), Decoder(network, 2, kernel)):
        decoder.open([1, 2])
        sequence = decoder.open(tokens)
        decoder.step()
        seen.append(attention_weights(decoder, sequence, tokens[-1]))
    torch.testing.assert_close(seen[0], seen[1], atol=0.03, rtol=0)


def test_heads_of_odd_widths_are_read_without_it(kernel: Kernel) -> None:
    assert Decoder(network_of(57, hidden_size=80, heads=4), 1, kernel).kernel is None


def test_a_file_that_is_no_library_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert load_kernel(tmp_path) is None
    if not instruction_sets():
        pytest.skip("needs a processor that there is a kernel for")
    kernel_path(instruction_sets()[0], tmp_path).write_bytes(b"no library")
    assert load_kernel(tmp_path) is None
    assert "served without it" in caplog.text


def test_a_kernel_that_errs_is_found_out(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    read = CompiledBackend.read
    monkeypatch.setattr(CompiledBackend, "read", lambda self, chunks: read(self, chunks).flip(1))
    assert Decoder(network_of(57), 1, kernel).kernel is None
