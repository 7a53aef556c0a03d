"""The one body reader of the whole hub.

Handlers never call `request.json()`, `.text()`, `.read()` or `.post()`.

A body is taken only in a media type the route names, in UTF-8, not compressed, within a limit, at a pace, and
equal to the digest that was signed. Compressed bodies are refused rather than unpacked: so there is nothing
to bomb.
"""

import asyncio
from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass
from typing import Final, TypeVar

from aiohttp import HttpVersion11, web
from pydantic import BaseModel, ValidationError

from hub.web.digests import CHALLENGE, EXPECTED_DIGEST, DigestingReader, DigestMismatchError
from hub.web.json_text import JsonTextError, JsonValue, parse
from hub.web.problems import ProblemError
from hub.web.validation import field_errors
from schemas.problems import FieldError, ProblemCode

JSON: Final = "application/json"
UTF8_NAMES: Final = frozenset({"utf-8", "utf8"})
BODY_CHUNKS_LIMIT: Final = 1 << 20
"""More chunks than this in one body is not a body but an attack on the loop."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How slowly a body may come: all of it within `grace_s` plus one second for each `min_bytes_per_s`."""

    grace_s: float = 10.0
    min_bytes_per_s: int = 4_096

    def deadline_s(self, received_bytes: int) -> float:
        """Seconds from the start by which more must have come."""
        return self.grace_s + received_bytes / self.min_bytes_per_s


PACE: Final = Pace()
Model = TypeVar("Model", bound=BaseModel)


async def read_json(request: web.Request, limit_bytes: int) -> JsonValue:
    """The request's one JSON value.

    Raises ProblemError: media_type, too_large, body_timeout, signature, bad_json.
    """
    return parse_json(await read_bytes(request, limit_bytes))


async def read_model(request: web.Request, model: type[Model], limit_bytes: int) -> Model:
    """The request's JSON as a model. Raises ProblemError as `read_json` does, and bad_field."""
    return validated(model, await read_json(request, limit_bytes))


def validated(model: type[Model], value: JsonValue) -> Model:
    """What a caller sent, as a model. Raises ProblemError bad_field, naming the fields.

    A ValidationError that gets out of a handler is our own fault, and is answered as such.
    """
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise ProblemError(ProblemCode.bad_field, errors=field_errors(error)) from error


async def read_bytes(
    request: web.Request, limit_bytes: int, media_types: Collection[str] = (JSON,), pace: Pace = PACE
) -> bytes:
    """The whole body, at most `limit_bytes`. Raises ProblemError as `stream_bytes` does."""
    return b"".join([chunk async for chunk in stream_bytes(request, limit_bytes, media_types, pace)])


async def stream_bytes(
    request: web.Request, limit_bytes: int, media_types: Collection[str], pace: Pace = PACE
) -> AsyncIterator[bytes]:
    """The body in chunks, for what is too large to hold.

    Keep no effect of it until the iteration has ended: only then is the digest proven. Raises
    ProblemError: media_type, too_large, body_timeout, signature.
    """
    _check_headers(request, limit_bytes, media_types)
    chunks = _chunks(request, limit_bytes, pace)
    expected = request.get(EXPECTED_DIGEST)
    try:
        async for chunk in chunks if expected is None else DigestingReader(chunks, expected):
            yield chunk
    except DigestMismatchError as error:
        raise ProblemError(
            ProblemCode.signature,
            "The body's SHA-256 is not the one in Content-Digest.",
            "本文のSHA-256がContent-Digestと一致しません。",
            headers=CHALLENGE,
        ) from error


def parse_json(raw: bytes) -> JsonValue:
    """One strict JSON value (see `hub.web.json_text`).

    Raises ProblemError bad_json, with a pointer where known.
    """
    try:
        return parse(raw)
    except JsonTextError as error:
        found = FieldError(pointer=error.pointer, code=error.code.value, detail=error.detail, detail_ja=error.detail_ja)
        raise ProblemError(ProblemCode.bad_json, error.detail, error.detail_ja, errors=[found]) from error


def _check_headers(request: web.Request, limit_bytes: int, media_types: Collection[str]) -> None:
    if "Content-Encoding" in request.headers and request.headers["Content-Encoding"].strip().lower() != "identity":
        raise ProblemError(
            ProblemCode.media_type,
            "Compressed bodies are not taken.",
            "圧縮された本文は受け付けていません。",
            headers={"Accept-Encoding": "identity"},
        )
    if not _is_taken(request.headers.getall("Content-Type", []), media_types):
        names = ", ".join(sorted(media_types))
        raise ProblemError(
            ProblemCode.media_type,
            f"Content-Type must be {names}, with charset=utf-8 or none.",
            f"Content-Typeは{names}（charsetはutf-8か省略）としてください。",
            headers={"Accept": names},
        )
    if request.content_length is not None and request.content_length > limit_bytes:
        raise _too_large(limit_bytes)


def _is_taken(content_types: list[str], media_types: Collection[str]) -> bool:
    if len(content_types) != 1:
        return False
    name, *parameters = (part.strip().lower() for part in content_types[0].split(";"))
    return name in media_types and all(_is_utf8(parameter) for parameter in parameters if parameter)


def _is_utf8(parameter: str) -> bool:
    key, _, value = parameter.partition("=")
    return key == "charset" and value.strip('"') in UTF8_NAMES


async def _chunks(request: web.Request, limit_bytes: int, pace: Pace) -> AsyncIterator[bytes]:
    await _say_continue(request)
    loop = asyncio.get_running_loop()
    started = loop.time()
    received = 0
    for _ in range(BODY_CHUNKS_LIMIT):
        try:
            async with asyncio.timeout_at(started + pace.deadline_s(received)):
                chunk = await request.content.readany()
        except TimeoutError as error:
            raise ProblemError(ProblemCode.body_timeout, headers={"Connection": "close"}) from error
        if not chunk:
            return
        received += len(chunk)
        if received > limit_bytes:
            raise _too_large(limit_bytes)
        yield chunk
    raise _too_large(limit_bytes)


async def _say_continue(request: web.Request) -> None:
    """Answer `Expect: 100-continue` only now: whoever is not let in never sends a body."""
    if request.version >= HttpVersion11 and "Expect" in request.headers and not request.content.is_eof():
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0


def _too_large(limit_bytes: int) -> ProblemError:
    return ProblemError(
        ProblemCode.too_large,
        f"At most {limit_bytes} bytes are taken.",
        f"本文は{limit_bytes}バイト以内としてください。",
    )
