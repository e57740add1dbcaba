"""A checkpoint's chat template: messages become one text, and nothing in them is taken for a placeholder."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from models.checkpoint import CheckpointError
from models.gpt.chat import CHAT_TEMPLATE_FILE, ChatTemplate, Message, read_chat_template

TEMPLATE = ChatTemplate(
    system="({content})\n", user="{name}: {content}\n", assistant="{name}: {content}\n", reply="{name}: ",
    names={"user": "A"}, stop=("\n",),
)  # fmt: skip


def test_messages_become_one_text() -> None:
    messages = [Message("system", "night"), Message("user", "hark"), Message("assistant", "what")]
    assert TEMPLATE.prompt(messages) == "(night)\nA: hark\nassistant: what\nassistant: "
    named = [Message("user", "hark", "X"), Message("assistant", "what", "Y"), Message("user", "again")]
    assert TEMPLATE.prompt(named) == "X: hark\nY: what\nA: again\nY: "


def test_placeholders_in_messages_stay_as_they_are() -> None:
    assert TEMPLATE.prompt([Message("user", "{name} {content}", "{content}")]) == (
        "{content}: {name} {content}\nassistant: "
    )


def test_a_checkpoint_may_have_none(tmp_path: Path) -> None:
    assert read_chat_template(tmp_path) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [("{", "Expecting"), ("[]", "an object"), ('{"system": ""}', "user"), (None, "extra")],
)
def test_a_broken_one_is_refused_by_name(tmp_path: Path, text: str | None, why: str) -> None:
    path = tmp_path / CHAT_TEMPLATE_FILE
    path.write_text(json.dumps({**TEMPLATE.model_dump(), "extra": 1}) if text is None else text)
    with pytest.raises(CheckpointError, match=why) as caught:
        read_chat_template(tmp_path)
    assert str(path) in str(caught.value)
