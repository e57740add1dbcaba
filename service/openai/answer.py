"""What answers of OpenAI's API have in common, whole and streamed."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from models.version import VERSION
from service.endpoints.text_answer import TextUsage
from service.schemas.openai import SamplingBody
from service.workers.messages import TextPiece


class OpenAIForm:
    """Writes all but the choices.

    Args:
        prefix: what the answer's id begins with.
        whole, event: what an answer and an event of a stream say that they are.
    """

    def __init__(
        self, body: SamplingBody, prefix: str, whole: str, event: str, model: str, request_id: str
    ) -> None:
        self._whole, self._with_usage = whole, bool(body.stream_options.include_usage)
        self._with_ids = body.return_token_ids
        self._head = {
            "id": f"{prefix}-{request_id}",
            "object": event,
            "created": int(time.time()),
            "model": model,
            "system_fingerprint": f"prospero-{VERSION}",
        }

    def whole(self, choices: list[dict[str, Any]], usage: TextUsage) -> dict[str, Any]:
        return {**self._head, "object": self._whole, "choices": choices, "usage": _usage(usage)}

    def opening(self) -> Iterator[dict[str, Any]]:
        return iter(())

    def event(self, choice: dict[str, Any]) -> dict[str, Any]:
        body = {**self._head, "choices": [choice]}
        return {**body, "usage": None} if self._with_usage else body

    def closing(self, usage: TextUsage) -> Iterator[dict[str, Any]]:
        if self._with_usage:
            yield {**self._head, "choices": [], "usage": _usage(usage)}

    def token_ids(self, piece: TextPiece) -> dict[str, Any]:
        """The fields of a choice that are only there when they were asked for."""
        if not self._with_ids:
            return {}
        prompt = {"prompt_token_ids": piece.prompt_token_ids} if piece.prompt_token_ids else {}
        return {"token_ids": piece.token_ids, **prompt}


def _usage(usage: TextUsage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_truncated": usage.prompt_truncated,
    }
