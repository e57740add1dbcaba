"""Does a row of the batch get the same bits whatever its neighbours? Asked of the machine, not assumed."""

from __future__ import annotations

import torch

from models.gpt.decoding import Decoder

NUM_PROBES = 6


@torch.inference_mode()
def is_row_invariant(decoder: Decoder) -> bool:
    """Compare rows alone and in batches of many sizes, at random lengths, bit for bit.

    The decoder must be empty: its cache is filled with noise for the trial and zeroed after it.
    """
    generator, cache = torch.Generator().manual_seed(0), decoder.backend.cache
    for tensor in (*cache.keys, *cache.values):
        tensor.copy_(torch.randn(tensor.shape[1:], generator=generator).expand_as(tensor))
    num_rows, context = decoder.max_slots, decoder.context
    vocabulary = decoder.network.config.vocabulary
    positions = torch.randint(context, (num_rows,), generator=generator).tolist()
    tokens = torch.randint(vocabulary, (num_rows,), generator=generator).tolist()
    probes = list(range(0, num_rows, max(1, num_rows // NUM_PROBES)))
    alone = {row: decoder.read_singles([row], [positions[row]], [tokens[row]])[0] for row in probes}
    try:
        multiple = decoder.backend.probed_sizes
        for count in {*range(multiple, num_rows, multiple), num_rows}:
            # Probes take turns in small batches, so that each stands in many places.
            shift = probes[count % len(probes)]
            rows = [(shift + i) % num_rows for i in range(count)]
            logits = decoder.read_singles(rows, [positions[r] for r in rows], [tokens[r] for r in rows])
            for place, row in enumerate(rows):
                if row in alone and not torch.equal(logits[place], alone[row]):
                    return False
        return True
    finally:
        for tensor in (*cache.keys, *cache.values):
            tensor.zero_()
