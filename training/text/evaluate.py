"""Nats per character: total negative log-likelihood of a text over its number of characters."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from tqdm import tqdm

from models.gpt.decoding import Decoder, Sequence
from models.gpt.tokenizer import Tokenizer
from training.text.networks import Network, read_windows

WINDOWS_PER_PASS = 8
IGNORED = -100  # as a target: PyTorch's number for what is not scored
CHARACTERS_IN_A_WINDOW = (
    256  # nanoGPT's context on the same text: what models of any tokenizer are compared by
)
CONTEXTS_IN_A_ROW = 4  # of the sliding metric: three quarters of the tokens see a full context, or more


@torch.inference_mode()
def nats_per_character(
    network: Network, tokenizer: Tokenizer, text: str, context: int | None = None
) -> float:
    """Score every token of `text` once, in windows of `context` tokens that do not overlap.

    A newline stands before the text, so that its first token is scored too. A window's first token sees one
    token of context, its last sees them all.
    """
    network.eval()
    device = network.embedding.weight.device
    inputs, targets = (part.to(device) for part in scored_tokens(tokenizer, text))
    length = context or network.config.max_seq_len
    num_whole = len(targets) // length * length
    total = 0.0
    windows, wanted = inputs[:num_whole].view(-1, length), targets[:num_whole].view(-1, length)
    for first in tqdm(range(0, len(windows), WINDOWS_PER_PASS), "scoring", leave=False, disable=None):
        rows = slice(first, first + WINDOWS_PER_PASS)
        total += _sum_nats(network, windows[rows], wanted[rows])
    if num_whole < len(targets):
        total += _sum_nats(network, inputs[None, num_whole:], targets[None, num_whole:])
    return total / len(text)


@torch.inference_mode()
def nats_per_character_in_windows(
    network: Network, tokenizer: Tokenizer, text: str, num_characters: int = CHARACTERS_IN_A_WINDOW
) -> float:
    """Score every character of `text` once, in windows of so many characters that see nothing before them.

    That is but for one character: each window is split into tokens by itself and read behind the last
    character of the one before, the first behind a newline: as a model of characters sees it. Where a window
    has more tokens than the context, it is cut.
    """
    network.eval()
    longest = network.config.max_seq_len
    device = network.embedding.weight.device
    total = 0.0
    starts = range(0, len(text), num_characters)
    for first in tqdm(range(0, len(starts), WINDOWS_PER_PASS), "scoring", leave=False, disable=None):
        rows, wanted = [], []
        for start in starts[first : first + WINDOWS_PER_PASS]:
            given = tokenizer.encode(text[start - 1] if start else "\n")
            tokens = tokenizer.encode(text[start : start + num_characters])
            read = torch.tensor((given + tokens)[:-1])
            rows += read.split(longest)
            wanted += torch.tensor([IGNORED] * (len(given) - 1) + tokens).split(longest)
        inputs = pad_sequence(rows, batch_first=True)  # what comes after a row's end changes nothing in it
        targets = pad_sequence(wanted, batch_first=True, padding_value=IGNORED)
        total += _sum_nats(network, inputs.to(device), targets.to(device))
    return total / len(text)


def served_nats_per_character(
    decoder: Decoder, tokenizer: Tokenizer, text: str, window: int | None = None
) -> float:
    """The same metric out of the service's own decoder: token by token, in batches, through its cache.

    Args:
        window: tokens that are read in a row before starting afresh. More than the model's context shows
            what text far past the window costs. The context when None.
    """
    inputs, targets = scored_tokens(tokenizer, text)
    length = window or decoder.context
    waiting = [
        (inputs[i : i + length].tolist(), targets[i : i + length].tolist())
        for i in range(0, len(inputs), length)
    ]
    running: dict[Sequence, tuple[list[int], list[int]]] = {}
    total = 0.0
    while waiting or running:
        while waiting and len(running) < decoder.max_slots:
            given, wanted = waiting.pop()
            running[decoder.open(given[:1])] = (given[1:][::-1], wanted[::-1])
        ready, logits = decoder.step()
        answers = torch.tensor([running[sequence][1].pop() for sequence in ready], device=logits.device)
        total += F.cross_entropy(logits.float(), answers, reduction="sum").item()
        for sequence in ready:
            if running[sequence][0]:
                sequence.push(running[sequence][0].pop())
            else:
                decoder.close(sequence)
                del running[sequence]
    return total / len(text)


def sliding_nats_per_character(decoder: Decoder, tokenizer: Tokenizer, text: str) -> float | None:
    """The served metric where reading goes on past the window, each token seeing the newest `context` ones.

    None where it can't: learned positions, or a text no longer than the context.
    """
    num_tokens = len(tokenizer.encode(text))
    if not decoder.is_rotary or num_tokens <= decoder.context:
        return None
    in_a_row = max(CONTEXTS_IN_A_ROW * decoder.context, -(-num_tokens // decoder.max_slots))
    return served_nats_per_character(decoder, tokenizer, text, in_a_row)


def scored_tokens(tokenizer: Tokenizer, text: str) -> tuple[Tensor, Tensor]:
    """What is read and what is to be predicted after each of it, (n,) both: the text behind a newline."""
    tokens = torch.tensor(tokenizer.encode("\n" + text))
    num_prefix = len(tokenizer.encode("\n"))
    return tokens[num_prefix - 1 : -1], tokens[num_prefix:]


def _sum_nats(network: Network, inputs: Tensor, targets: Tensor) -> float:
    logits = read_windows(network, inputs).float()
    return F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="sum").item()
