"""The encoder–decoder: what it can see, and that it says what it scores."""

from __future__ import annotations

import pytest
import torch

from models.seq2seq.encoder_decoder import EncoderDecoder
from models.seq2seq.lstm import LSTMConfig, LSTMLanguageModel


def make(has_attention: bool) -> EncoderDecoder:
    torch.manual_seed(0)
    network = EncoderDecoder(5, 16, has_attention)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.5)
    return network


SOURCE = torch.randint(5, (3, 7), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("has_attention", [False, True])
def test_generating_feeds_back_what_scoring_prefers(has_attention: bool) -> None:
    network = make(has_attention)
    given = network.generate(SOURCE, 9)
    assert torch.equal(network(SOURCE, given).argmax(-1), given)
    assert len(given.unique()) > 1


@pytest.mark.parametrize("has_attention", [False, True])
def test_no_symbol_sees_itself_or_what_follows(has_attention: bool) -> None:
    network, target = make(has_attention), SOURCE.flip(1)
    changed = target.clone()
    changed[:, 4] = (changed[:, 4] + 1) % 5
    before, after = network(SOURCE, target), network(SOURCE, changed)
    assert torch.equal(before[:, :5], after[:, :5])
    assert not torch.allclose(before[:, 5:], after[:, 5:])


class OnlyTheLast(torch.nn.Module):
    """An encoder whose states are lost but for the last."""

    def __init__(self, encoder: torch.nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        states, last = self.encoder(x)
        return torch.zeros_like(states), last


@pytest.mark.parametrize("has_attention", [False, True])
def test_all_that_passes_without_attention_is_the_last_state(has_attention: bool) -> None:
    network, target = make(has_attention), SOURCE.flip(1)
    wanted = network(SOURCE, target)
    network.encoder = OnlyTheLast(network.encoder)
    assert torch.allclose(network(SOURCE, target), wanted) is not has_attention


def test_an_lstm_reads_left_to_right() -> None:
    torch.manual_seed(0)
    network = LSTMLanguageModel(
        LSTMConfig(vocabulary=5, max_seq_len=7, hidden_size=8, num_layers=2), dropout=0.5
    ).eval()
    changed = SOURCE.clone()
    changed[:, 4] = (changed[:, 4] + 1) % 5
    before, after = network.logits(network(SOURCE)), network.logits(network(changed))
    assert before.shape == (3, 7, 5)
    assert torch.equal(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])
