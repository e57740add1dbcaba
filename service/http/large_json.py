"""Large JSON bodies, cut down to what somebody reads before anything is built of them.

A parser holds the interpreter, and with it the event loop, until all is built: seconds for 16 MiB of small
values. A look over the top level builds nothing and takes hundredths of a second; what no field can hold, or
nobody reads, goes no further.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import cache
from typing import Any

import msgspec

from service.errors import ApiError

LARGE_BYTES = 256 * 1024  # a body of so many bytes is parsed in milliseconds
MAX_VALUE_BYTES = 1024 * 1024  # of one field; the longest prompt takes less than half, however it is escaped
_UNKNOWN = re.compile("unknown field `(.*)`", re.DOTALL)


def known_part(
    body: bytes, names: Collection[str], is_strict: bool = False, unbounded: Collection[str] = ()
) -> bytes:
    """The body with no other fields than ``names``; as it is, if it isn't large.

    Args:
        is_strict: a field of another name is an error.
        unbounded: fields that may be of any size.

    Raises:
        ApiError: 400 for what is not JSON, 422 for what is no object, and for a field that is too large.
    """
    if len(body) <= LARGE_BYTES:
        return body
    parts = []
    for name, value in _look_over(body, tuple(names), is_strict).items():
        if len(value) > MAX_VALUE_BYTES and name not in unbounded:
            raise ApiError(422, f"larger than {MAX_VALUE_BYTES} bytes", name)
        parts.append(b'"%s":%s' % (name.encode(), value))
    return b"{%s}" % b",".join(parts)


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


@cache
def _decoder(names: tuple[str, ...], is_strict: bool) -> msgspec.json.Decoder[Any]:
    fields = [(name, msgspec.Raw, msgspec.field(default=msgspec.Raw())) for name in names]
    return msgspec.json.Decoder(msgspec.defstruct("Outline", fields, forbid_unknown_fields=is_strict))
