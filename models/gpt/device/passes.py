"""What the device does in a step, over buffers that never move: read a token of every row, parts of prompts.

Each method is captured once a size, and replayed. Drawn tokens stay in `tokens`, where the next step finds
them.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from models.gpt.device.adjusting import BYTES, Tables
from models.gpt.device.blocks import block_linear, use_blocks
from models.gpt.device.control import WORDS, Control
from models.gpt.device.drawing import draw
from models.gpt.device.pool import Pool, PromptAttention, RowAttention
from models.gpt.network import GPT

# How to draw: by temperature alone; with cuts, which take a sort; with what changes logits, too.
Way = Literal["plain", "cut", "adjusted"]


def num_bytes(network: GPT, max_slots: int) -> int:
    """What `Passes` will take: keys and values, logits, and the widest states on the way."""
    config, item = network.config, network.embedding.weight.element_size()
    position = 2 * config.num_layers * config.kv_heads * config.head_width * item
    widest = max(config.mlp_width * 2, 3 * config.hidden_size) * item + 6 * 8 * config.vocabulary
    head = 4 * config.vocabulary * config.hidden_size
    slot = config.max_seq_len * position + (4 + BYTES) * config.vocabulary
    return (max_slots + 1) * slot + max_slots * widest + head


class Prompts:
    """Parts of up to P prompts of T tokens: a record (slot, start, number, is last part, tokens ...) each."""

    HEAD = 4  # numbers before the tokens

    def __init__(self, count: int, length: int, device: torch.device) -> None:
        self.count, self.length = count, length
        self.records = torch.zeros((count, self.HEAD + length), dtype=torch.int32, device=device)

    @property
    def slots(self) -> Tensor:
        return self.records[:, 0].long()

    @property
    def starts(self) -> Tensor:
        return self.records[:, 1].long()

    @property
    def numbers(self) -> Tensor:
        return self.records[:, 2].long()

    @property
    def is_last(self) -> Tensor:
        return self.records[:, 3] > 0

    @property
    def tokens(self) -> Tensor:
        return self.records[:, self.HEAD :].long()


class Passes:
    """The network, and every buffer that its steps read and write."""

    def __init__(self, network: GPT, max_slots: int, block_rows: int) -> None:
        """Take a network over: its products go by blocks of `block_rows` rows from now on, if more than 1."""
        config, weights = network.config, network.embedding.weight
        self.network, self.device, self.dtype = network, weights.device, weights.dtype
        self.pool = Pool(config, max_slots, self.device, self.dtype)
        self.block_rows = block_rows
        if block_rows > 1:
            use_blocks(network, block_rows)
        num_rows = max_slots + 1 + -(max_slots + 1) % block_rows
        self.control = Control(torch.zeros((num_rows, WORDS), dtype=torch.int32, device=self.device))
        # The newest of each slot; one more than any is what a row has that nothing can be drawn from.
        self.tokens = torch.zeros(num_rows, dtype=torch.int64, device=self.device)
        self._last_token = config.vocabulary - 1
        self.logits = torch.zeros((num_rows, config.vocabulary), device=self.device)  # what drew it
        self.tables = Tables(max_slots + 1, config.vocabulary, self.device)
        head = network.embedding.weight if config.tied else network.head.weight
        self._head = head.float()  # logits that differ by less than bfloat16 can say differ

    def read_rows(self, num_rows: int, span: int) -> None:
        """Each row's newest token into its slot, and the logits of the next; rows are the first slots."""
        padded = num_rows + -num_rows % self.block_rows
        control = self.control.rows(slice(padded))
        positions = control.position.long()
        is_active = control.is_active > 0
        attend = RowAttention(self.pool, positions, is_active, num_rows, span, self.dtype)
        tokens = self.tokens[:padded].clamp(max=self._last_token)
        states = self.network(tokens[:, None], attend, self._known(positions)[:, None])
        # A prompt may just have left its logits in a row that isn't active yet.
        logits, scores = self.logits[:num_rows], self._score(states[:, 0])[:num_rows]
        torch.where(is_active[:num_rows, None], scores, logits, out=logits)

    def draw_rows(self, num_rows: int, way: Way) -> None:
        """The next token of each active row; its record moves on by one."""
        rows = slice(num_rows)
        control = self.control.rows(rows)
        drawn = self._draw(self.logits[rows], control, rows, way)
        is_active = control.is_active > 0
        if way == "adjusted":
            slots = torch.arange(num_rows, device=self.device)
            self.tables.note(torch.where(is_active, slots, self.pool.scratch_slot), drawn)
        torch.where(is_active, drawn, self.tokens[rows], out=self.tokens[rows])
        control.move_on()

    def read_prompts(self, prompts: Prompts, span: int) -> None:
        """Parts of prompts into their slots, and the logits after each."""
        self._keep_last(prompts, self._read_prompts(prompts, span))

    def score_prompt(self, prompts: Prompts, span: int) -> Tensor:
        """As `read_prompts`; returns the logits after each token of the first prompt (T, vocabulary)."""
        states = self._read_prompts(prompts, span)
        self._keep_last(prompts, states)
        return self._score(states[0])

    def draw_prompts(self, prompts: Prompts, way: Way) -> None:
        """The first token of each prompt that is read to its end. The host moves the records on."""
        slots = prompts.slots
        drawn = self._draw(self.logits[slots], self.control.rows(slots), slots, way)
        places = torch.where(prompts.is_last, slots, self.pool.scratch_slot)
        if way == "adjusted":
            self.tables.note(places, drawn)
        self.tokens.index_copy_(0, places, drawn)

    def _read_prompts(self, prompts: Prompts, span: int) -> Tensor:
        steps = torch.arange(prompts.length, device=self.device)
        positions = prompts.starts[:, None] + steps  # (P, T)
        is_token = steps < prompts.numbers[:, None]
        attend = PromptAttention(self.pool, prompts.slots, positions, is_token, span, self.dtype)
        return self.network(prompts.tokens, attend, self._known(positions))  # type: ignore[no-any-return]

    def _keep_last(self, prompts: Prompts, states: Tensor) -> None:
        last = (prompts.numbers - 1).clamp(min=0)[:, None, None].expand(-1, 1, states.shape[-1])
        self.logits.index_copy_(0, prompts.slots, self._score(states.gather(1, last)[:, 0]))

    def _draw(self, logits: Tensor, control: Control, rows: slice | Tensor, way: Way) -> Tensor:
        if way == "adjusted":
            logits = self.tables.rows(rows).adjust(logits, control)
        return draw(logits, control, has_cuts=way != "plain")

    def _known(self, positions: Tensor) -> Tensor:
        """Padding may lie past the end of a table of learned positions."""
        is_rotary = self.network.config.positions == "rope"
        return positions if is_rotary else positions.clamp(max=self.pool.context - 1)

    def _score(self, states: Tensor) -> Tensor:
        return block_linear(states.float(), self._head, None, self.block_rows)
