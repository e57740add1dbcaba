"""How much names count where they are new, whatever they are tokens of."""

from __future__ import annotations

import numpy as np
import pytest

from models.gpt.tokenizer import CharacterTokenizer, Tokenizer
from training.text.mentions import MentionWeights
from training.text.vocabulary import make_bpe

TRAINING = "ROMEO:\nO Juliet, speak again.\n\nJULIET:\nAy, Zoë, Romeo.\n"
RENAMED = ".\nHUNGUS:\nO Juliet, speak to Hungus, speak to Éloy.\n\nJULIET:\nAgain, Éloy, Romeo.\n"
ALPHABET = "".join(sorted(set(TRAINING + RENAMED)))


def weigh(tokenizer: Tokenizer, text: str) -> list[tuple[bytes, float]]:
    weights = MentionWeights(TRAINING, {"romeo", "juliet"}, tokenizer.pieces, invented=0.0, real=4.0)
    tokens = tokenizer.encode(text)
    given = weights(np.array([tokens, tokens]))
    assert given.shape == (2, len(tokens))
    assert np.array_equal(given[0], given[1]), "each window stands for itself"
    return [
        (tokenizer.pieces[token], weight) for token, weight in zip(tokens, given[0].tolist(), strict=True)
    ]


@pytest.mark.parametrize("tokenizer", [CharacterTokenizer(ALPHABET), make_bpe(TRAINING * 3, 300)])
def test_a_name_counts_otherwise_once_in_a_window(tokenizer: Tokenizer) -> None:
    weighed = weigh(tokenizer, RENAMED)
    parts = {
        wanted: b"".join(piece for piece, weight in weighed if weight == wanted).decode().replace(" ", "")
        for wanted in (0.0, 1.0, 4.0)
    }
    assert parts[0.0] == "HUNGUStoÉloy"
    assert parts[4.0] == "JulietRomeo"
    assert parts[1.0] == ".\n:\nO,speakHungus,speakto.\n\nJULIET:\nAgain,Éloy,.\n"


def test_a_word_that_the_border_cuts_counts_as_any_other() -> None:
    tokenizer = CharacterTokenizer(ALPHABET)
    assert {weight for _, weight in weigh(tokenizer, "NGUS, speak Hun")} == {1.0}
    assert [weight for _, weight in weigh(tokenizer, "O speak Hun.")][-4:] == [0.0, 0.0, 0.0, 1.0]
