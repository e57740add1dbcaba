"""Log probabilities as OpenAI's API writes them."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from typing import Any

from service.workers.messages import Logprob


def token_text(token: bytes) -> str:
    """A token's text; of one that is no whole character, its bytes as OpenAI writes them."""
    try:
        return token.decode()
    except UnicodeDecodeError:
        return "bytes:" + "".join(f"\\x{byte:02x}" for byte in token)


class CompletionLogprobs:
    """Writes those of one choice's tokens, in the order of its text, of which it counts the characters."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")(errors="replace")
        self._offset = 0

    def of(self, tokens: Iterable[Logprob]) -> dict[str, list[Any]]:
        """As `service.schemas.openai.CompletionLogprobs` has it."""
        written: dict[str, list[Any]] = {
            "tokens": [], "token_logprobs": [], "top_logprobs": [], "text_offset": [],
        }  # fmt: skip
        for one in tokens:
            name, top = token_text(one.token), {token_text(token): value for token, value in one.top}
            if one.logprob is not None:
                top.setdefault(name, one.logprob)
            written["tokens"].append(name)
            written["token_logprobs"].append(one.logprob)
            written["top_logprobs"].append(None if one.logprob is None else top)
            written["text_offset"].append(self._offset)
            self._offset += len(self._utf8.decode(one.token))
        return written


def chat_logprob(one: Logprob) -> dict[str, Any]:
    """As `service.schemas.chat.ChatLogprob` has it."""
    top = [_alternative(token, logprob) for token, logprob in one.top]
    return {**_alternative(one.token, one.logprob), "top_logprobs": top}


def _alternative(token: bytes, logprob: float | None) -> dict[str, Any]:
    return {"token": token_text(token), "logprob": logprob, "bytes": list(token)}
