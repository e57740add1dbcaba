"""The text engine: requests in, text out, one token for every running request at each step.

Knows nothing of HTTP or of processes. One thread drives it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from models.checkpoint import load_weights, read_config, read_metrics
from models.errors import RequestError
from models.gpt.attention_probe import TokenAttention, attention_weights, max_tokens, rounded
from models.gpt.config import GPTConfig
from models.gpt.decoding import Decoder
from models.gpt.detokenizer import IncrementalDetokenizer
from models.gpt.device.decoder import DeviceDecoder
from models.gpt.eager import lay_out_for_cpu
from models.gpt.kernel import Kernel, load_kernel
from models.gpt.listing import ListedToken, Listing, TokenLogprob
from models.gpt.network import GPT, dtype_name
from models.gpt.request import TextRequest
from models.gpt.sampling import Sampler, log_probabilities
from models.gpt.source import NOTHING, Drawn, HostSource, OpenSequence, TokenSource, Weights
from models.gpt.tokenizer import Tokenizer, read_tokenizer
from models.unfilled import Unfilled

log = logging.getLogger("prospero.text")

EMPTY_PROMPT = "\n"


@dataclass(slots=True)
class TextEvent:
    """What one step gave one request; `text` may be empty while characters are held back.

    What is listed (log-probabilities, attention, ids) is of the tokens of this text; `num_tokens` were drawn.
    """

    key: int
    text: str
    num_tokens: int
    finish_reason: Literal["stop", "length"] | None = None
    logprobs: tuple[TokenLogprob, ...] = ()
    prompt_tokens: int = 0  # this and the next are filled when finish_reason is
    prompt_truncated: bool = False
    attention: tuple[TokenAttention, ...] = ()
    # If asked for; the prompt's come with the first event.
    prompt_logprobs: tuple[TokenLogprob, ...] | None = None
    token_ids: Sequence[int] = ()
    prompt_token_ids: Sequence[int] = ()
    error: Exception | None = None  # why this request ends without an end; others go on


@dataclass(frozen=True)
class Prepared:
    """A request that is ready to be taken in, once."""

    request: TextRequest
    tokens: list[int]
    sampler: Sampler
    scores: list[TokenLogprob]


@dataclass(eq=False, slots=True)
class _Run:
    """A request on its way."""

    key: int
    request: TextRequest
    sequence: OpenSequence
    sampler: Sampler
    text: IncrementalDetokenizer
    prompt: list[int]
    marks: frozenset[int]  # tokens that are no text, or its end
    num_drawn: int = field(default=0)
    scores: list[TokenLogprob] = field(default_factory=list)  # of the prompt, as far as it was read
    seen: list[int] = field(default_factory=list)  # all tokens, of a request that asks for attention
    is_told: bool = field(default=False)  # which tokens the prompt has
    is_looking: bool = field(init=False)
    listing: Listing | None = field(init=False)
    max_tokens: int = field(init=False)
    ending: frozenset[int] = field(init=False)
    num_unwatched: int = field(init=False)

    def __post_init__(self) -> None:
        # Whether it wants to see what drew a token before the next one is drawn.
        self.is_looking = self.request.logprobs is not None or bool(self.request.attention)
        self.listing = Listing() if self.is_looking or self.request.return_token_ids else None
        self.max_tokens, self.ending = self.request.max_tokens, self.sampler.ending
        self.num_unwatched = self.request.min_tokens if self.request.stop else 0


class TextEngine:
    """Continuous batching over one GPT checkpoint. Callers keep `num_running` at or below `max_slots`."""

    def __init__(
        self,
        network: GPT,
        tokenizer: Tokenizer,
        max_slots: int = 64,
        metrics: dict[str, Any] | None = None,
        kernel: Kernel | None = None,
        weights: Weights = "auto",
        draws_on_device: bool = False,
    ) -> None:
        self.max_slots = max_slots
        self.tokenizer, self._network, self._metrics = tokenizer, network, metrics or {}
        self.source: TokenSource = (
            DeviceDecoder(network, max_slots)
            if draws_on_device
            else HostSource(network, max_slots, kernel, weights)
        )
        if weights not in ("auto", self.source.weights):
            log.warning("weights in %s need the compiled kernel: text is served without either", weights)
        self._runs: dict[OpenSequence, _Run] = {}
        self._by_key: dict[int, _Run] = {}
        self._failed: dict[int, Exception] = {}  # by key, those whose prompts can't be scored
        self._num_looking = 0
        self._newest: tuple[object, list[int]] = (None, [])  # a prompt, and its tokens
        self._end_token = network.config.end_token

    @classmethod
    def load(cls, folder: Path, device: str, max_slots: int = 64, weights: Weights = "auto") -> TextEngine:
        """Load a checkpoint folder; weights are held in float32 on a CPU, in bfloat16 on a GPU.

        Args:
            weights: what the compiled kernel holds them in. "auto" is "int16" or "bfloat16", whichever
                these instructions multiply faster: no text shows it. "int8" is half of it, at the loss that
                docs/performance.md has.

        Raises:
            CheckpointError: the folder is no whole GPT checkpoint.
        """
        config = read_config(folder, GPTConfig)
        tokenizer = read_tokenizer(folder, config.vocabulary)
        with Unfilled():
            network = GPT(config)
        network = network.to(torch.float32 if device == "cpu" else torch.bfloat16)
        load_weights(folder, network)
        if device == "cpu":
            lay_out_for_cpu(network)
        kernel = load_kernel() if device == "cpu" else None
        is_cuda = torch.device(device).type == "cuda"
        return cls(
            network.to(device),
            tokenizer,
            max_slots,
            read_metrics(folder),
            kernel,
            weights,
            draws_on_device=is_cuda,
        )

    @property
    def decoder(self) -> Decoder:
        """What gives logits to the host: the engine's own, or, where a device draws, one beside it."""
        own = self.source
        return own.decoder if isinstance(own, HostSource) else Decoder(own.network, self.max_slots)

    @property
    def num_running(self) -> int:
        return len(self._runs)

    def admit(self, key: int, request: TextRequest) -> None:
        """`prepare` a request and `take` it in."""
        self.take(key, self.prepare(request))

    def prepare(self, request: TextRequest) -> Prepared:
        """What taking a request in needs; touches nothing that runs, and so any thread may call it.

        Raises:
            RequestError: the prompt has characters that the model lacks, a token id is none of the model's,
                or more attention is asked for than may be.
        """
        self._check(request)
        tokens = self._tokens(request.prompt)
        scores: list[TokenLogprob] = []
        if request.prompt_logprobs is not None:
            first = tokens[: max(1, len(tokens) - self.source.context + 1)]  # nothing stands before these
            unknown = {token: TokenLogprob(self._bytes(token), None, []) for token in {*first}}
            scores = [unknown[token] for token in first]
        return Prepared(request, tokens, self._sampler(request, tokens), scores)

    def take(self, key: int, prepared: Prepared, rank: int | None = None) -> None:
        """Take in what `prepare` gave; the next steps prefill it.

        Args:
            rank: how many texts its client had under way; None: there is one client.
        """
        request, tokens, scores = prepared.request, prepared.tokens, prepared.scores
        score = None
        if request.prompt_logprobs is not None:
            score = partial(self._score, key, scores, tokens, request.prompt_logprobs)
        sequence = self.source.open(tokens, prepared.sampler, request.max_tokens, score, rank)
        text = IncrementalDetokenizer(request.stop, request.max_characters)
        ending, end = prepared.sampler.ending, self._end_token
        marks = ending if end is None or end in ending else ending | {end}
        run = _Run(key, request, sequence, prepared.sampler, text, tokens, marks, scores=scores)
        if request.attention:
            run.seen = list(tokens)
        self._num_looking += run.is_looking
        self._runs[run.sequence] = self._by_key[key] = run

    def _tokens(self, prompt: str | tuple[int, ...]) -> list[int]:
        """A prompt's tokens, which several requests may share: choices of one prompt come in a row."""
        known, tokens = self._newest
        if prompt == known:
            return tokens
        if isinstance(prompt, str):
            tokens = self.tokenizer.encode(prompt or EMPTY_PROMPT)
        else:
            tokens = list(prompt)
            self._check_tokens("prompt", tokens)
        if not tokens:
            raise RequestError("prompt", "this model makes no token of it")
        self._newest = prompt, tokens
        return tokens

    def _check_tokens(self, field: str, tokens: Iterable[int]) -> None:
        vocabulary = self._network.config.vocabulary
        for token in tokens:
            if not 0 <= token < vocabulary:
                raise RequestError(field, f"this model has no token {token}")

    def _check(self, request: TextRequest) -> None:
        if request.attention and len(request.attention) > (most := max_tokens(self._network.config)):
            raise RequestError("attention", f"of this model, for at most {most} tokens at once")
        self._check_tokens("logit_bias", request.logit_bias)
        self._check_tokens("stop_token_ids", request.stop_token_ids)

    def _sampler(self, request: TextRequest, prompt: list[int]) -> Sampler:
        end = self._network.config.end_token
        ending = (
            {*request.stop_token_ids} if end is None or request.ignore_eos else {*request.stop_token_ids, end}
        )
        return Sampler(
            request.seed, request.temperature, request.top_k, request.top_p, request.min_p,
            request.repetition_penalty, request.presence_penalty, request.frequency_penalty,
            request.no_repeat_ngram_size, request.logit_bias, request.min_tokens,
            frozenset(ending), prompt,
        )  # fmt: skip

    def drop(self, key: int) -> None:
        """Forget a request and free its slot; an unknown key is ignored."""
        run = self._by_key.get(key)
        if run is not None:
            self._drop(run)

    def _drop(self, run: _Run, is_spoilt: bool = False) -> None:
        if self._by_key.pop(run.key, None) is not None:
            del self._runs[run.sequence]
            self._num_looking -= run.is_looking
            self._failed.pop(run.key, None)
            self.source.close(run.sequence, is_spoilt)

    def step(self) -> list[TextEvent]:
        """Prefill newcomers, bounded, and draw for every request that is ready."""
        events: list[TextEvent] = []
        for drawn in self.source.step(may_look=self._num_looking > 0):
            run = self._runs[drawn.sequence]
            try:
                events += self._take(run, drawn)
            except Exception as error:
                self._drop(run, is_spoilt=True)
                events.append(TextEvent(run.key, "", 0, error=error))
        return events

    def _take(self, run: _Run, drawn: Drawn) -> Iterable[TextEvent]:
        """An event for each of a request's new tokens, until its end; for all of them if none is listed."""
        error = drawn.error
        if self._failed and error is None:
            error = self._failed.pop(run.key, None)
        if error is not None:
            raise error
        if not drawn.tokens:
            return (_told(run, self._end(run, "", "length")),)
        if run.listing is None:
            return (_told(run, self._advance_all(run, drawn.tokens)),)
        events = []
        for token in drawn.tokens:
            events.append(_told(run, self._advance(run, token, drawn.logits)))
            if events[-1].finish_reason is not None:
                break
        return events

    def _advance_all(self, run: _Run, tokens: list[int]) -> TextEvent:
        """One event of all tokens until the end, which is looked for by halves."""
        text = self._feed_on(run, tokens)
        if text is not None:
            return TextEvent(run.key, text, len(tokens))
        if len(tokens) == 1:
            return self._advance(run, tokens[0], NOTHING)
        half = len(tokens) // 2
        event = self._advance_all(run, tokens[:half])
        if event.finish_reason is not None:
            return event
        rest = self._advance_all(run, tokens[half:])
        rest.text, rest.num_tokens = event.text + rest.text, event.num_tokens + rest.num_tokens
        return rest

    def _feed_on(self, run: _Run, tokens: list[int]) -> str | None:
        """What tokens add, at a fraction of the work for each; None if any of them may be the last."""
        num_drawn = run.num_drawn + len(tokens)
        if num_drawn >= run.max_tokens or run.num_drawn < run.num_unwatched:
            return None
        if not run.marks.isdisjoint(tokens):
            return None
        pieces = self.tokenizer.pieces
        text = run.text.feed_on(b"".join([pieces[token] for token in tokens]))
        if text is not None:
            run.num_drawn = num_drawn
            run.sequence.push(*tokens)
        return text

    def _advance(self, run: _Run, token: int, logits: Tensor) -> TextEvent:
        is_end = token in run.ending
        piece = b"" if is_end or token == self._end_token else self._bytes(token)
        if run.listing is not None and not is_end:
            run.listing.add(run.text.begin_of(piece), self._listed(run, token, piece, logits))
        run.num_drawn += 1
        text = run.text.feed(piece, is_watched=run.num_drawn > run.request.min_tokens)
        if is_end or run.text.is_stopped:
            event = self._end(run, text, "stop")
        elif run.text.is_full or run.num_drawn >= run.max_tokens:
            event = self._end(run, text, "length")
        else:
            run.sequence.push(token)
            event = TextEvent(run.key, text, 1)
        event.num_tokens = 1
        return event

    def _listed(self, run: _Run, token: int, piece: bytes, logits: Tensor) -> ListedToken:
        """A token that was drawn, with what was asked about it; call once for each that is no text's end."""
        num_top = run.request.logprobs
        logprob = None if num_top is None else self._logprob(logits, token, num_top, piece)
        return ListedToken(token, logprob, self._attention(run, token) if run.request.attention else None)

    def _end(self, run: _Run, text: str, reason: Literal["stop", "length"]) -> TextEvent:
        """The last event, with the text that was held back until now."""
        text += run.text.finish()
        self._drop(run)
        is_truncated = len(run.prompt) > self._network.config.max_seq_len
        reason = "stop" if run.text.is_stopped else reason
        return TextEvent(run.key, text, 0, reason, (), len(run.prompt), is_truncated)

    def _score(
        self, key: int, scores: list[TokenLogprob], prompt: list[int], num_top: int, logits: Tensor
    ) -> None:
        """Note what the logits (n, vocabulary) after the prompt's next tokens say of those that follow."""
        following = prompt[len(scores) : len(scores) + len(logits)]
        try:
            scores += [
                self._logprob(row, token, num_top, self._bytes(token))
                for row, token in zip(logits, following, strict=False)
            ]
        except Exception as error:  # would end the step, of all
            self._failed[key] = error

    def _logprob(self, logits: Tensor, token: int, num_top: int, piece: bytes) -> TokenLogprob:
        logprob, top = log_probabilities(logits, token, num_top)
        return TokenLogprob(piece, logprob, [(self._bytes(i), value) for i, value in top])

    def _attention(self, run: _Run, token: int) -> TokenAttention | None:
        """What the last step looked at, if that was asked for; call once for each token that is drawn."""
        looked = None
        if run.num_drawn in run.request.attention:
            weights = attention_weights(self.source, run.sequence, run.seen[-1])
            context = [self._piece(one) for one in run.seen[-weights.shape[-1] :]]
            looked = TokenAttention(run.num_drawn, self._piece(token), context, rounded(weights))
        run.seen.append(token)
        return looked

    def _bytes(self, token: int) -> bytes:
        return self.tokenizer.pieces[token]

    def _piece(self, token: int) -> str:
        return self._bytes(token).decode("utf-8", errors="replace")

    def describe(self) -> dict[str, Any]:
        """What `GET /models` says of this model, apart from its name and kind."""
        return {
            "parameters": sum(parameter.numel() for parameter in self._network.parameters()),
            "training_data": self._network.config.training_data,
            "metrics": self._metrics,
            "device": str(self.source.device),
            "dtype": dtype_name(self._network),
            "determinism": "bitwise" if self.source.is_bitwise else "best effort",
            "context": self._network.config.max_seq_len,
            "tokenizer": self.tokenizer.name,
            "weights": self.source.weights,
            "kernel": self.source.kernel_name,
            "max_attention_tokens": max_tokens(self._network.config),
        }


def _told(run: _Run, event: TextEvent) -> TextEvent:
    """The event with what was asked to be told: of its text's tokens; once, what there is of the prompt."""
    if run.scores:
        event.prompt_logprobs, run.scores = tuple(run.scores), []
    if run.listing is None:
        return event
    is_whole = event.finish_reason == "length" and not run.text.is_full
    listed = run.listing.release(event.text, is_whole)
    event.logprobs = tuple(one.logprob for one in listed if one.logprob is not None)
    event.attention = tuple(one.attention for one in listed if one.attention is not None)
    if run.request.return_token_ids:
        event.token_ids = [one.id for one in listed]
        if not run.is_told:
            event.prompt_token_ids, run.is_told = run.prompt, True
    return event
