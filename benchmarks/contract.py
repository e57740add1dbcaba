"""What an answer of `/v1` is made of, without its values: to hold two servers beside each other."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx

from client.events import lines_of

_NAMES: Final = {bool: "boolean", int: "number", float: "number", str: "string", type(None): "null"}


@dataclass
class Answer:
    """``types``: JSON's, by path; ``order``: the kinds of a stream's events, repetitions once."""

    status: int
    media_type: str
    types: dict[str, set[str]] = field(default_factory=dict)
    order: list[str] = field(default_factory=list)
    num_choices: int = 0  # of an answer that is no stream

    @property
    def is_stream(self) -> bool:
        return self.media_type == "text/event-stream"


def ask(client: httpx.Client, path: str, body: Any) -> Answer:
    """GET if ``body`` is None, else POST; text is sent as it is, anything else as JSON."""
    content = body if body is None or isinstance(body, str) else json.dumps(body)
    method, headers = ("GET", {}) if body is None else ("POST", {"Content-Type": "application/json"})
    headers["Connection"] = "close"  # llama.cpp's server closes after a stream without saying so
    with client.stream(method, path, headers=headers, content=content) as response:
        answer = Answer(response.status_code, response.headers.get("content-type", "").partition(";")[0])
        if not answer.is_stream:
            whole = _parsed(response.read())
            note_types(answer.types, whole)
            answer.num_choices = len(whole.get("choices", ())) if isinstance(whole, dict) else 0
            return answer
        lines = [line for line in lines_of(response.iter_bytes()) if line.startswith(b"data: ")]
    events = [_parsed(line.removeprefix(b"data: ")) for line in lines]
    for event in events:
        note_types(answer.types, event)
    answer.order = [kind for kind, _ in itertools.groupby(map(kind_of, events))]
    return answer


def _parsed(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode()


def note_types(types: dict[str, set[str]], value: Any, path: str = "") -> None:
    """Add the types of ``value`` and of all that is in it; a list's entries share a path."""
    if isinstance(value, dict):
        by_token = path.endswith("top_logprobs[]") and "token" not in value  # whose names are no fields
        for name, inner in value.items():
            note_types(types, inner, f"{path}.{'*' if by_token else name}".removeprefix("."))
    elif isinstance(value, list):
        types.setdefault(path, set()).add("list")
        for inner in value:
            note_types(types, inner, f"{path}[]")
    elif path:
        types.setdefault(path, set()).add(_NAMES[type(value)])


def kind_of(event: Any) -> str:
    """What an event of a stream is there for."""
    if not isinstance(event, dict):
        return str(event)
    if "error" in event:
        return "error"
    if not event.get("choices"):
        return "usage" if event.get("usage") else "nothing"
    choice = event["choices"][0]
    delta = choice.get("delta", {})
    has = {
        "role": "role" in delta,
        "text": choice.get("text") or delta.get("content"),
        "end": choice["finish_reason"],
    }
    return " and ".join(part for part, is_there in has.items() if is_there) or "nothing"


def only_in(one: Answer, other: Answer) -> list[str]:
    """The paths that ``other`` lacks; of an object or a list that it lacks as a whole, that one's."""
    known = {start for path in other.types for start in _starts(path)}
    missing = (next((start for start in _starts(path) if start not in known), None) for path in one.types)
    return list(dict.fromkeys(start for start in missing if start is not None))


def _starts(path: str) -> Iterator[str]:
    """The path's own beginnings, and itself: of ``a.b[].c`` ``a``, ``a.b``, ``a.b[]``, ``a.b[].c``."""
    for at in range(1, len(path)):
        if path[at] in ".[":
            yield path[:at]
    yield path


def other_types(one: Answer, other: Answer) -> Iterator[tuple[str, str, str]]:
    """The paths of both that have other types, and these."""
    for path, types in one.types.items():
        others = other.types.get(path, types)
        if types != others:
            yield path, " or ".join(sorted(types)), " or ".join(sorted(others))
