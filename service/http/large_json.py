"""Large JSON bodies, cut down to what somebody reads before anything is built of them.

A parser holds the interpreter, and with it the event loop, until all is built: seconds for 16 MiB of small
values, in a thread as well. It is their number that costs, not their bytes. A look over the top level builds
nothing and takes hundredths of a second; what no field can hold, or nobody reads, goes no further.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from contextlib import suppress
from functools import cache
from types import MappingProxyType
from typing import Any

import msgspec

from service.errors import ApiError

LARGE_BYTES = 256 * 1024  # a body of so many bytes is parsed in milliseconds
MAX_VALUE_BYTES = 1024 * 1024  # of one field; the longest prompt takes less than half, however it is escaped
MAX_VALUES = (
    65_536  # of all fields but roomy ones; the most that can be meant, commas of texts counted, is less
)
MAX_ITEMS = 2048  # of a list, that are looked at one by one
_UNKNOWN = re.compile("unknown field `(.*)`", re.DOTALL)


def known_part(
    body: bytes,
    names: Collection[str],
    is_strict: bool = False,
    roomy: Mapping[str, int] = MappingProxyType({}),
) -> bytes:
    """The body with no other fields than ``names``; as it is, if it isn't large.

    Args:
        is_strict: a field of another name is an error.
        roomy: fields that may take any number of bytes, and how many values each may have.

    Raises:
        ApiError: 400 for what is not JSON, 422 for what is no object, and for a field that is too large.
    """
    if len(body) <= LARGE_BYTES:
        return body
    return join(known_values(body, names, is_strict, roomy))


def known_values(
    body: bytes, names: Collection[str], is_strict: bool, roomy: Mapping[str, int]
) -> dict[str, bytes]:
    """Each field's value as it stands in a body of any size; arguments and errors are `known_part`'s."""
    values, num_values = _look_over(body, tuple(names), is_strict), 0
    for name, value in values.items():
        if name in roomy:
            if _num_values(value) > roomy[name]:
                raise ApiError(422, f"more than {roomy[name]} values", name)
        else:
            if len(value) > MAX_VALUE_BYTES:
                raise ApiError(422, f"larger than {MAX_VALUE_BYTES} bytes", name)
            num_values += _num_values(value)
            if num_values > MAX_VALUES:
                raise ApiError(422, f"more than {MAX_VALUES} values, with those of the fields before", name)
    return values


def join(values: Mapping[str, bytes]) -> bytes:
    """The body that has these fields."""
    return b"{%s}" % b",".join(b'"%s":%s' % (name.encode(), value) for name, value in values.items())


def _look_over(body: bytes, names: tuple[str, ...], is_strict: bool) -> dict[str, bytes]:
    try:
        found = _decoder(names, is_strict).decode(body)
    except msgspec.ValidationError as error:
        if unknown := _UNKNOWN.search(str(error)):
            raise ApiError(422, "unknown field", unknown[1][:100]) from None
        raise ApiError(422, "the body must be a JSON object") from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise ApiError(400, f"malformed JSON: {error}") from None
    values = {name: bytes(getattr(found, name)) for name in names}
    return {name: value for name, value in values.items() if value}


def _num_values(value: bytes) -> int:
    """How many values a JSON document has, or more: but for a text, and those of a list, by its commas."""
    if value.startswith(b'"'):
        return 1
    if value.startswith(b"["):
        with suppress(msgspec.ValidationError):  # more items
            items = [bytes(one) for one in msgspec.structs.astuple(_items().decode(value))]
            return sum(1 if one.startswith(b'"') else one.count(b",") + 1 for one in items if one)
    return value.count(b",") + 1


@cache
def _items() -> msgspec.json.Decoder[Any]:
    """Reads a list as a struct: it builds nothing of its items, and ends at one too many."""
    fields = [(f"item_{index}", msgspec.Raw, msgspec.Raw()) for index in range(MAX_ITEMS)]
    return msgspec.json.Decoder(
        msgspec.defstruct("Items", fields, array_like=True, forbid_unknown_fields=True)
    )


@cache
def _decoder(names: tuple[str, ...], is_strict: bool) -> msgspec.json.Decoder[Any]:
    fields = [(name, msgspec.Raw, msgspec.field(default=msgspec.Raw())) for name in names]
    return msgspec.json.Decoder(msgspec.defstruct("Outline", fields, forbid_unknown_fields=is_strict))
