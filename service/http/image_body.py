"""How an image and its parameters arrive: as a form, as a raw body, or in JSON."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.datastructures import FormData, UploadFile
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.requests import Request

from service.errors import ApiError, from_validation
from service.http.json_body import JSON, json_bytes, media_type_of, refuse_query
from service.http.large_json import LARGE_BYTES, MAX_VALUES, join, known_values
from service.images.formats import IMAGE_TYPES, UNREAD_TYPES, unread
from service.schemas.images import ImageParameters

P = TypeVar("P", bound=ImageParameters)


_TAKEN_AS_IMAGES = {"image/jpg", "application/octet-stream"}
_NUMBER = re.compile(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?")  # less than Python's, which has 1_0 and inf


async def read_image_body(request: Request, field: str, parameters: type[P]) -> tuple[bytes, P]:
    """The image bytes under ``field`` and the validated parameters, whichever form the body has.

    Raises:
        ApiError: 415 for another content type, 400 for a malformed body, 422 for what is missing or wrong.
    """
    content_type = media_type_of(request)
    if content_type in IMAGE_TYPES or content_type in _TAKEN_AS_IMAGES:  # what it is, its first bytes say
        return await request.body(), _from_strings({}, request, parameters)
    if content_type == "multipart/form-data":
        data, fields = await _read_form(request, field)
        return data, _from_strings(fields, request, parameters)
    if content_type == JSON:
        return await _read_json(request, field, parameters)
    if content_type in UNREAD_TYPES:
        raise ApiError(415, unread(UNREAD_TYPES[content_type]), field)
    forms = ", ".join(["multipart/form-data", "application/json", *IMAGE_TYPES])
    raise ApiError(415, f"Content-Type {content_type or '(none)'!r}; send one of {forms}")


async def _read_form(request: Request, field: str) -> tuple[bytes, dict[str, str]]:
    try:
        form = await request.form(max_files=2, max_fields=16)  # a second, to name it
    except (HTTPException, MultiPartException) as error:  # the latter only where no app is in the scope
        reason = error.detail if isinstance(error, HTTPException) else error.message
        raise ApiError(400, f"malformed form: {reason}") from None
    try:
        return await _read_fields(form, field)
    finally:
        await form.close()


async def _read_fields(form: FormData, field: str) -> tuple[bytes, dict[str, str]]:
    fields: dict[str, str] = {}
    data: bytes | None = None
    for name, value in form.multi_items():
        if name in fields or (name == field and data is not None):
            raise ApiError(422, "given twice", name)
        if isinstance(value, UploadFile):
            if name != field:
                raise ApiError(422, f"unexpected file; the image goes into {field!r}", name)
            data = await value.read()
        elif name == field:
            raise ApiError(422, "must be a file, not a text field", field)
        elif value:  # an empty field of a form is one that was left alone
            fields[name] = value
    if data is None:
        raise ApiError(422, "missing: the form has no such file, or ends within it", field)
    return data, fields


async def _read_json(request: Request, field: str, parameters: type[P]) -> tuple[bytes, P]:
    refuse_query(request)
    names = {field, *parameters.model_fields}
    body, written = await json_bytes(request), None
    try:
        if len(body) > LARGE_BYTES:
            values = known_values(body, names, is_strict=True, roomy={field: MAX_VALUES})
            if values.get(field, b"").startswith(b'"'):
                written, values[field] = values[field], b'""'
            body = join(values)
        given = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"malformed JSON: {error}") from None
    if not isinstance(given, dict):
        raise ApiError(422, "the body must be a JSON object")
    if field not in given:
        raise ApiError(422, "missing: base64 or a data URL", field)
    value = given.pop(field)
    if not isinstance(value, str):
        raise ApiError(422, "must be a string: base64 or a data URL", field)
    if written is None:
        data = _from_base64(value.encode("utf-8", "replace"), field)
    else:  # tens of megabytes
        data = await asyncio.to_thread(lambda: _from_base64(_unquoted(written), field))
    try:
        return data, parameters.model_validate(given)
    except ValidationError as error:
        raise from_validation(error) from None


_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_BLANKS = b" \t\n\r\v\f"
_PIECE = 1024 * 1024  # a multiple of 4


def _unquoted(written: bytes) -> bytes:
    """What a string of JSON says."""
    text = written[1:-1]
    if b"\\" in text:  # in base64, a slash or the end of a line; all else is far slower to read
        text = text.replace(b"\\/", b"/").replace(b"\\n", b"\n").replace(b"\\r", b"\r")
    return str(json.loads(written)).encode("utf-8", "replace") if b"\\" in text else text


def _from_base64(text: bytes, field: str) -> bytes:
    if text[:5].lower() == b"data:":
        head, comma, text = text.partition(b",")
        if not comma or not head.lower().endswith(b";base64"):
            raise ApiError(422, "a data URL must be base64-encoded", field)
    try:
        return b"".join(_decoded(text.rstrip(b"=" + _BLANKS)))
    except (binascii.Error, ValueError):
        raise ApiError(422, "not valid base64", field) from None


def _decoded(text: bytes) -> Iterator[bytes]:
    """Piece by piece: in a thread, each holds the interpreter for a moment only."""
    rest = b""
    for start in range(0, len(text), _PIECE):
        piece = rest + text[start : start + _PIECE].translate(_URL_SAFE, _BLANKS)
        if b"=" in piece:
            raise ValueError("padding within")
        whole = len(piece) // 4 * 4
        yield base64.b64decode(piece[:whole], validate=True)
        rest = piece[whole:]
    yield base64.b64decode(rest + b"=" * (-len(rest) % 4), validate=True)


def _from_strings(fields: Mapping[str, str], request: Request, parameters: type[P]) -> P:
    values: dict[str, Any] = dict(fields)
    for name, value in request.query_params.multi_items():
        if name in values:
            raise ApiError(422, "given twice", name)
        values[name] = value
    if "class_seeds" in values and "class_seeds" in parameters.model_fields:
        try:
            values["class_seeds"] = json.loads(values["class_seeds"])
        except (ValueError, RecursionError):
            raise ApiError(422, 'must be a JSON object such as {"sky": 7}', "class_seeds") from None
    try:
        return parameters.model_validate(
            {name: _typed(name, value, parameters) for name, value in values.items()}
        )
    except ValidationError as error:
        raise from_validation(error) from None


def _typed(name: str, value: Any, parameters: type[ImageParameters]) -> Any:
    # Strict models take no strings for numbers; in a form or a query nothing else can be sent.
    known = parameters.model_fields.get(name)
    if not isinstance(value, str) or known is None or name in {"format", "model"}:
        return value
    if known.annotation is bool:
        return {"true": True, "false": False}.get(value, value)
    for convert in (int, float) if _NUMBER.fullmatch(value) else ():
        try:
            return convert(value)
        except ValueError:
            continue
    return value
