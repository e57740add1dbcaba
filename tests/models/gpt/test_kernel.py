"""The compiled kernel does what PyTorch's operators do, with bits that are a row's own."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from models.gpt.attention import attention_weights
from models.gpt.build import build, find_compiler, instruction_set, kernel_path
from models.gpt.compiled import CompiledReader
from models.gpt.decoding import Decoder
from models.gpt.determinism import is_row_invariant
from models.gpt.engine import TextEngine
from models.gpt.kernel import Kernel, load_kernel
from models.gpt.network import GPT, CausalAttention
from models.gpt.reading import Chunk
from models.gpt.sampling import Sampler, choose
from tests.models.gpt.small import ALPHABET, complete, make_bpe, make_network
from tests.models.gpt.test_determinism import make_requests, outcome, run_crowd
from tests.models.gpt.test_sampling import fields_of

SHAPE = {"width": 128, "heads": 4, "kv_heads": 2, "mlp_width": 96, "context": 64}  # panels of 32, too


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Kernel:
    compiler, level = find_compiler(), instruction_set()
    if compiler is None or level is None:
        pytest.skip("needs a C++ compiler, and a processor that there is a kernel for")
    folder = tmp_path_factory.mktemp("compiled")
    assert load_kernel(folder) is None
    build(compiler, level, folder)
    loaded = load_kernel(folder)
    assert loaded is not None
    assert loaded.level == level
    return loaded


def exact_network(vocabulary: int, **changes: int) -> GPT:
    """Weights that bfloat16 holds exactly, as trained checkpoints' do."""
    network = make_network(vocabulary, **{**SHAPE, **changes})
    for parameter in network.parameters():
        parameter.copy_(parameter.bfloat16().float())
    return network


def test_logits_are_those_of_the_network_past_the_window(kernel: Kernel) -> None:
    network = exact_network(61)
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
        # The cache is bfloat16: 8 bits of each key and value.
        torch.testing.assert_close(given, wanted[num_read - 1], atol=0.06, rtol=0)
    assert len(given_at) == 100


@pytest.mark.parametrize("threads", [1, 2])
def test_rows_and_chunks_do_not_depend_on_their_company(kernel: Kernel, threads: int) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        decoder = Decoder(exact_network(300), 40, kernel)
        assert is_row_invariant(decoder)
        tokens = [i * 7 % 300 for i in range(60)]
        whole = decoder.reader.read([Chunk(0, 0, tokens)])
        for i in range(60):
            company = [Chunk(slot, i, [slot]) for slot in range(2, 2 + i % 30)]
            last = decoder.reader.read([*company, Chunk(1, i, [tokens[i]])])[-1]
        assert torch.equal(whole[0], last)
    finally:
        torch.set_num_threads(before)


def test_texts_do_not_depend_on_neighbours(kernel: Kernel) -> None:
    tokenizer = make_bpe()
    chance = random.Random(2)
    engine = TextEngine(exact_network(len(tokenizer.pieces)), tokenizer, 13, kernel=kernel)
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


def test_attention_weights_are_read_out_of_panels(kernel: Kernel) -> None:
    network = exact_network(61)
    tokens = [i * 5 % 61 for i in range(20)]
    seen = []
    for decoder in (Decoder(network, 2), Decoder(network, 2, kernel)):
        decoder.open([1, 2])
        sequence = decoder.open(tokens)
        decoder.step()
        seen.append(attention_weights(decoder, sequence, tokens[-1]))
    torch.testing.assert_close(seen[0], seen[1], atol=0.02, rtol=0)


def test_other_networks_are_read_without_it(kernel: Kernel) -> None:
    inexact = make_network(len(ALPHABET), **SHAPE)
    assert Decoder(inexact, 1, kernel).kernel is None
    assert Decoder(exact_network(57, mlp_width=90), 1, kernel).kernel is None


def test_a_file_that_is_no_library_is_passed_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    level = instruction_set()
    if level is None:
        pytest.skip("needs a processor that there is a kernel for")
    kernel_path(level, tmp_path).write_bytes(b"no library")
    assert load_kernel(tmp_path) is None
    assert "served without it" in caplog.text


def test_a_kernel_that_errs_is_found_out(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    read = CompiledReader.read
    monkeypatch.setattr(CompiledReader, "read", lambda self, chunks: read(self, chunks).flip(1))
    assert Decoder(exact_network(57), 1, kernel).kernel is None
