"""The text engine: requests in, text out, one token for every running request at each step.

Knows nothing of HTTP or of processes. One thread drives it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from models.checkpoint import load_weights, read_config, read_metrics
from models.errors import RequestError
from models.gpt.attention_probe import TokenAttention, attention_weights, max_tokens, rounded
from models.gpt.config import GPTConfig
from models.gpt.decoding import Decoder, Sequence
from models.gpt.determinism import is_row_invariant
from models.gpt.detokenizer import IncrementalDetokenizer
from models.gpt.eager import lay_out_for_cpu
from models.gpt.kernel import Kernel, load_kernel
from models.gpt.network import GPT
from models.gpt.request import TextRequest
from models.gpt.sampling import Sampler, choose, log_probabilities
from models.gpt.tokenizer import Tokenizer, read_tokenizer

EMPTY_PROMPT = "\n"


@dataclass(frozen=True)
class TokenLogprob:
    """A drawn token, its log-probability, and the likeliest tokens in its place, best first."""

    token: str
    logprob: float
    top: list[tuple[str, float]]


@dataclass(slots=True)
class TextEvent:
    """What one step gave one request; `text` may be empty while characters are held back."""

    key: int
    text: str
    num_tokens: int
    finish_reason: Literal["stop", "length"] | None = None
    logprobs: tuple[TokenLogprob, ...] = ()
    prompt_tokens: int = 0  # this and the next are filled when finish_reason is
    prompt_truncated: bool = False
    attention: TokenAttention | None = None


@dataclass(eq=False)
class _Run:
    """A request on its way."""

    key: int
    request: TextRequest
    sequence: Sequence
    sampler: Sampler
    text: IncrementalDetokenizer
    prompt_tokens: int
    num_drawn: int = field(default=0)
    seen: list[int] = field(default_factory=list)  # all tokens, of a request that asks for attention


class TextEngine:
    """Continuous batching over one GPT checkpoint. Callers keep `num_running` at or below `max_slots`."""

    def __init__(
        self,
        network: GPT,
        tokenizer: Tokenizer,
        max_slots: int = 64,
        metrics: dict[str, Any] | None = None,
        kernel: Kernel | None = None,
    ) -> None:
        self.max_slots = max_slots
        self.tokenizer, self._network, self._metrics = tokenizer, network, metrics or {}
        self.decoder = Decoder(network, max_slots, kernel)
        self._choose = choose if self.decoder.kernel is None else self.decoder.kernel.choose
        self._runs: dict[Sequence, _Run] = {}
        self._by_key: dict[int, _Run] = {}
        self._is_bitwise = self.decoder.device.type == "cpu" and is_row_invariant(self.decoder)

    @classmethod
    def load(cls, folder: Path, device: str, max_slots: int = 64) -> TextEngine:
        """Load a checkpoint folder; weights are held in float32 on a CPU, in bfloat16 on a GPU.

        Raises:
            CheckpointError: the folder is no whole GPT checkpoint.
        """
        config = read_config(folder, GPTConfig)
        tokenizer = read_tokenizer(folder, config.vocabulary)
        with torch.device("meta"):
            network = GPT(config)
        dtype = torch.float32 if device == "cpu" else torch.bfloat16
        network = network.to_empty(device="cpu").to(dtype)
        load_weights(folder, network)
        if device == "cpu":
            lay_out_for_cpu(network)
        kernel = load_kernel() if device == "cpu" else None
        return cls(network.to(device), tokenizer, max_slots, read_metrics(folder), kernel)

    @property
    def num_running(self) -> int:
        return len(self._runs)

    def admit(self, key: int, request: TextRequest) -> None:
        """Take a request in; the next steps prefill it.

        Raises:
            RequestError: the prompt has characters that the model lacks, or more attention is asked for
                than may be.
        """
        most = max_tokens(self._network.config)
        if len(request.attention) > most:
            raise RequestError("attention", f"of this model, for at most {most} tokens at once")
        tokens = self.tokenizer.encode(request.prompt or EMPTY_PROMPT)
        if not tokens:
            raise RequestError("prompt", "this model makes no token of it")
        run = _Run(
            key,
            request,
            self.decoder.open(tokens),
            Sampler(request.seed, request.temperature, request.top_k, request.top_p),
            IncrementalDetokenizer(request.stop, request.max_characters),
            len(tokens),
        )
        if request.attention:
            run.seen = tokens
        self._runs[run.sequence] = self._by_key[key] = run

    def drop(self, key: int) -> None:
        """Forget a request and free its slot; an unknown key is ignored."""
        run = self._by_key.pop(key, None)
        if run is not None:
            del self._runs[run.sequence]
            self.decoder.close(run.sequence)

    def step(self) -> list[TextEvent]:
        """Prefill newcomers, bounded, and draw one token for every request that is ready."""
        sequences, logits = self.decoder.step()
        if not sequences:
            return []
        runs = [self._runs[sequence] for sequence in sequences]
        tokens = self._choose(logits, [run.sampler for run in runs])
        drawn = zip(runs, tokens, range(len(runs)), strict=True)
        return [self._advance(run, token, logits, row) for run, token, row in drawn]

    def _advance(self, run: _Run, token: int, logits: Tensor, row: int) -> TextEvent:
        request = run.request
        reason: Literal["stop", "length"] | None = None
        attention = self._attention(run, token) if request.attention else None
        run.num_drawn += 1
        is_end = token == self._network.config.end_token
        text = "" if is_end else run.text.feed(self.tokenizer.pieces[token])
        logprobs = () if request.logprobs is None else (self._logprob(logits[row], token, request.logprobs),)
        if is_end or run.text.is_stopped:
            reason = "stop"
        elif run.text.is_full or run.num_drawn >= request.max_tokens:
            reason = "length"
        if reason is None:
            run.sequence.push(token)
            return TextEvent(run.key, text, 1, None, logprobs, attention=attention)
        text += run.text.finish()
        if run.text.is_stopped:
            reason = "stop"
        self.drop(run.key)
        is_truncated = run.prompt_tokens > self._network.config.max_seq_len
        return TextEvent(run.key, text, 1, reason, logprobs, run.prompt_tokens, is_truncated, attention)

    def _logprob(self, logits: Tensor, token: int, num_top: int) -> TokenLogprob:
        logprob, top = log_probabilities(logits, token, num_top)
        named = [(self._piece(i), value) for i, value in top]
        return TokenLogprob(self._piece(token), logprob, named)

    def _attention(self, run: _Run, token: int) -> TokenAttention | None:
        """What the last step looked at, if that was asked for; call once for each token that is drawn."""
        looked = None
        if run.num_drawn in run.request.attention:
            weights = attention_weights(self.decoder, run.sequence, run.seen[-1])
            context = [self._piece(one) for one in run.seen[-weights.shape[-1] :]]
            looked = TokenAttention(run.num_drawn, self._piece(token), context, rounded(weights))
        run.seen.append(token)
        return looked

    def _piece(self, token: int) -> str:
        return self.tokenizer.pieces[token].decode("utf-8", errors="replace")

    def describe(self) -> dict[str, Any]:
        """What `GET /models` says of this model, apart from its name and kind."""
        weights = self._network.embedding.weight
        return {
            "parameters": sum(parameter.numel() for parameter in self._network.parameters()),
            "training_data": self._network.config.training_data,
            "metrics": self._metrics,
            "device": str(weights.device),
            "dtype": str(weights.dtype).removeprefix("torch."),
            "determinism": "bitwise" if self._is_bitwise else "best effort",
            "context": self._network.config.max_seq_len,
            "tokenizer": self.tokenizer.name,
            "kernel": "none" if self.decoder.kernel is None else self.decoder.kernel.level,
            "max_attention_tokens": max_tokens(self._network.config),
        }
