"""Does a row of the batch get the same bits whatever its neighbours? Asked of the machine, not assumed."""

from __future__ import annotations

import torch

from models.gpt.cache import span_of
from models.gpt.decoding import ROW_MULTIPLE, Decoder

NUM_PROBES = 6


@torch.inference_mode()
def is_row_invariant(decoder: Decoder) -> bool:
    """Compare rows alone and in batches of every padded size, at random lengths, bit for bit.

    The decoder must be empty: its cache is filled with noise for the trial and zeroed after it.
    """
    generator = torch.Generator().manual_seed(0)
    for tensor in (*decoder.cache.keys, *decoder.cache.values):
        tensor.copy_(torch.randn(tensor.shape[1:], generator=generator).expand_as(tensor))
    num_rows, context = decoder.max_slots, decoder.context
    vocabulary = decoder.network.config.vocabulary
    positions = torch.randint(context, (num_rows,), generator=generator).tolist()
    tokens = torch.randint(vocabulary, (num_rows,), generator=generator).tolist()
    probes = list(range(0, num_rows, max(1, num_rows // NUM_PROBES)))
    alone = {row: decoder.decode_rows([row], [positions[row]], [tokens[row]])[0] for row in probes}
    try:
        for count in {*range(ROW_MULTIPLE, num_rows, ROW_MULTIPLE), num_rows}:
            # Probes take turns in small batches, so that each stands in many places.
            shift = probes[count % len(probes)]
            rows = [(shift + i) % num_rows for i in range(count)]
            rows.sort(key=lambda row: (span_of(positions[row] + 1, context), row))
            logits = decoder.decode_rows(rows, [positions[r] for r in rows], [tokens[r] for r in rows])
            for place, row in enumerate(rows):
                if row in alone and not torch.equal(logits[place], alone[row]):
                    return False
        return True
    finally:
        for tensor in (*decoder.cache.keys, *decoder.cache.values):
            tensor.zero_()
