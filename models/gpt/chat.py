"""Chat with a model that only goes on from text: how messages become its prompt, and what ends its answer.

It stands beside the weights, in ``chat_template.json``; a checkpoint without one has no chat. No torch.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from models.checkpoint import CheckpointError
from models.errors import reason_of

CHAT_TEMPLATE_FILE = "chat_template.json"

Role = Literal["system", "user", "assistant"]


class Message(NamedTuple):
    """One message; an empty name stands for its role's."""

    role: Role
    content: str
    name: str = ""


class ChatTemplate(BaseModel):
    """Texts with ``{name}`` and ``{content}`` in them, one for each role, and what the answer begins with."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    system: str
    user: str
    assistant: str
    reply: str  # has no {content}, which is the model's to write
    names: Mapping[Role, str] = {}  # of those whose messages bring none
    stop: tuple[Annotated[str, Field(min_length=1, max_length=64)], ...] = Field((), max_length=4)

    def prompt(self, messages: Sequence[Message]) -> str:
        """The messages as one text that ends where the assistant has the word, by its name of last time."""
        texts = {"system": self.system, "user": self.user, "assistant": self.assistant}
        written = [self._write(texts[one.role], one) for one in messages]
        name = next((one.name for one in reversed(messages) if one.role == "assistant"), "")
        return "".join([*written, self._write(self.reply, Message("assistant", "", name))])

    def _write(self, text: str, message: Message) -> str:
        name = message.name or self.names.get(message.role, message.role)
        return re.sub(
            r"\{(name|content)\}", lambda found: name if found[1] == "name" else message.content, text
        )


def read_chat_template(folder: Path) -> ChatTemplate | None:
    """A checkpoint's template, if it has one.

    Raises:
        CheckpointError: the file is none.
    """
    path = folder / CHAT_TEMPLATE_FILE
    if not path.exists():
        return None
    try:
        return ChatTemplate.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        raise CheckpointError(f"{path}: {'.'.join(map(str, first['loc']))}: {reason_of(first)}") from None
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{path}: {error}") from None
