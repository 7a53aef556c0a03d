"""The one body reader: what it takes, what it refuses, and that it never holds more than its limit."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from aiohttp import ClientSession, web
from pydantic import BaseModel, ConfigDict, Field

from hub.web.app import json_response
from hub.web.bodies import Pace, read_bytes, read_json, read_model, stream_bytes
from hub.web.json_text import canonical
from hub.web.server import Door
from tests.hub.web.serving import HOST, MEMBER, audience, exchange, resident_bytes, route, serving

pytestmark = pytest.mark.loopback

LIMIT_BYTES = 64 * 1024
MIB = 1024 * 1024


class Transfer(BaseModel):
    model_config = ConfigDict(extra="forbid")
    amount: int = Field(strict=True, ge=1, le=999_999_999)


@dataclass
class World:
    door: Door
    client: ClientSession
    taken: list[object]

    async def post(self, body: bytes, path: str = "json", **headers: str) -> tuple[int, dict[str, Any]]:
        sent = {"Content-Type": "application/json"} | MEMBER | {n.replace("_", "-"): v for n, v in headers.items()}
        async with self.client.post(f"/api/test/{path}", data=body, headers=sent) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def world() -> AsyncIterator[World]:
    taken: list[object] = []

    async def take_json(request: web.Request) -> web.Response:
        value = await read_json(request, LIMIT_BYTES)
        taken.append(value)
        return web.Response(body=canonical(value), content_type="application/json")

    async def take_model(request: web.Request) -> web.Response:
        transfer = await read_model(request, Transfer, LIMIT_BYTES)
        taken.append(transfer)
        return json_response(transfer)

    async def take_file(request: web.Request) -> web.Response:
        size = 0
        async for chunk in stream_bytes(request, 64 * MIB, ("text/csv", "application/x-ndjson")):
            size += len(chunk)
        taken.append(size)
        return web.json_response({"size": size})

    async def take_slowly(request: web.Request) -> web.Response:
        taken.append(await read_bytes(request, LIMIT_BYTES, pace=Pace(grace_s=0.1)))
        return web.json_response({})

    group = audience()
    handlers = {"json": take_json, "model": take_model, "file": take_file, "slow": take_slowly}
    routes = [
        route(audience=group, method="POST", path=f"/{name}", handler=handler, consumes=("*/*",))
        for name, handler in handlers.items()
    ]
    async with serving(routes) as (door, client):
        yield World(door, client, taken)


async def test_json_is_taken(world: World) -> None:
    assert await world.post('{"a": [1, "あ"]}'.encode()) == (200, {"a": [1, "あ"]})


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", 'Application/JSON;charset="UTF-8"', "application/json;"],
)
async def test_json_in_utf_8_is_taken_however_it_is_said(world: World, content_type: str) -> None:
    assert (await world.post(b"{}", Content_Type=content_type))[0] == 200


@pytest.mark.parametrize(
    "content_type",
    [
        "text/plain",
        "text/plain; charset=utf-8",
        "application/json; charset=unicode_escape",
        "application/json; charset=utf-16",
        "application/json; charset=utf-7",
        "application/json; charset=utf-8; charset=utf-16",
        "application/json; profile=x",
        "application/jsonx",
        "application/x-www-form-urlencoded",
        "application/octet-stream",
        "multipart/form-data; boundary=a",
        "json",
        "",
    ],
)
async def test_other_kinds_and_charsets_are_refused(world: World, content_type: str) -> None:
    status, problem = await world.post(b"{}", Content_Type=content_type)
    assert (status, problem["type"]) == (415, "/api/#problem-media_type")
    assert world.taken == []


@pytest.mark.parametrize(
    "body,code,pointer",
    [
        (b"", "empty", ""),
        (b"\xff\xfe", "encoding", ""),
        (b"[" * 30_000, "depth", ""),
        (b'{"amount":' + b"9" * 5_000 + b"}", "long_number", "/amount"),
        (b'{"amount":1,"amount":9999}', "duplicate_key", "/amount"),
        (b'{"amount":NaN}', "not_a_number", "/amount"),
        (b'{"memo":"\\ud800"}', "character", "/memo"),
        (b'{"memo":"\\u0000"}', "character", "/memo"),
        (b"{} x", "syntax", ""),
    ],
)
async def test_what_is_not_acceptable_json_is_a_problem_with_its_place(
    world: World, body: bytes, code: str, pointer: str
) -> None:
    status, problem = await world.post(body)
    assert status == 400
    assert [(error["code"], error["pointer"]) for error in problem["errors"]] == [(code, pointer)]
    assert world.taken == []


@pytest.mark.parametrize(
    "amount",
    [
        b"true", b"10.0", b'"10"', '"１０"'.encode(), b"9223372036854775808", b"99999999999999999999999", b"-1", b"0",
        b"1e3", b"null", b"[]", b"{}",
    ],
)  # fmt: skip
async def test_a_number_of_the_wrong_kind_is_a_field_error(world: World, amount: bytes) -> None:
    status, problem = await world.post(b'{"amount":' + amount + b"}", "model")
    assert (status, problem["errors"][0]["pointer"]) == (400, "/amount")


async def test_fields_that_are_ours_cannot_be_set(world: World) -> None:
    status, problem = await world.post(b'{"amount":1,"balance":5,"status":"posted","id":1}', "model")
    assert status == 400
    assert {(error["pointer"], error["code"]) for error in problem["errors"]} == {
        ("/balance", "unknown_field"),
        ("/status", "unknown_field"),
        ("/id", "unknown_field"),
    }


async def test_a_body_at_its_limit_is_taken_and_one_byte_more_is_not(world: World) -> None:
    fits = b'"' + b"a" * (LIMIT_BYTES - 2) + b'"'
    assert (await world.post(fits))[0] == 200
    assert (await world.post(fits[:-1] + b'a"'))[0] == 413


async def test_a_body_of_unsaid_length_is_held_to_the_limit(world: World) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(1_000):
            yield b" " * 1024

    async with world.client.post(
        "/api/test/json", data=endless(), headers=MEMBER | {"Content-Type": "application/json"}
    ) as answer:
        assert answer.status == 413


async def test_a_said_length_over_the_limit_is_refused_unread(world: World) -> None:
    head = _head(world, "Content-Type: application/json\r\nContent-Length: 1073741824\r\nConnection: close")
    assert (await exchange(world.door.port, head)).startswith(b"HTTP/1.1 413 ")


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd", "gzip, gzip", "GZIP"])
async def test_a_compressed_body_is_refused_and_never_unpacked(world: World, bomb: bytes, encoding: str) -> None:
    before = resident_bytes()
    status, problem = await world.post(bomb, Content_Encoding=encoding)
    assert (status, problem["type"]) == (415, "/api/#problem-media_type")
    assert resident_bytes() - before < 20 * MIB


async def test_identity_is_no_compression(world: World) -> None:
    assert (await world.post(b"{}", Content_Encoding="identity"))[0] == 200


async def test_compressed_bytes_that_do_not_say_so_are_not_json(world: World) -> None:
    assert (await world.post(gzip.compress(b"{}")))[0] == 400


async def test_a_large_file_streams_past(world: World) -> None:
    async def file() -> AsyncIterator[bytes]:
        for _ in range(32):
            yield b"a,b,c\r\n" * (MIB // 7)

    before = resident_bytes()
    headers = MEMBER | {"Content-Type": "text/csv; charset=utf-8"}
    async with world.client.post("/api/test/file", data=file(), headers=headers) as answer:
        assert await answer.json() == {"size": 32 * (MIB // 7) * 7}
    assert resident_bytes() - before < 20 * MIB


async def test_a_slow_body_is_cut_off(world: World) -> None:
    head = _head(world, "Content-Type: application/json\r\nContent-Length: 10", "slow")
    answer = await exchange(world.door.port, head + b"[")
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert world.taken == []


@pytest.mark.parametrize("chunks", [b"zz\r\n", b"1\r\n[]\r\n", b"-1\r\n"])
async def test_a_badly_framed_body_is_a_problem(world: World, chunks: bytes) -> None:
    head = _head(world, "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close")
    answer = await exchange(world.door.port, head + chunks)
    assert b" 400 " in answer.partition(b"\r\n")[0]
    assert b"#problem-bad_request" in answer
    assert world.taken == []


async def test_a_body_that_goes_wrong_while_it_is_read_is_given_up(world: World) -> None:
    """Aiohttp does not tell the reader of a broken chunk, so it ends as a body does that never comes."""
    reader, writer = await asyncio.open_connection(HOST, world.door.port)
    head = "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue"
    writer.write(_head(world, head, "slow"))
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"1\r\n[\r\nzz\r\n")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 408 ")
    writer.close()
    assert world.taken == []


async def test_half_a_body_and_gone_is_nobodys_error(world: World) -> None:
    head = _head(world, "Content-Type: application/json\r\nContent-Length: 10")
    _, writer = await asyncio.open_connection(HOST, world.door.port)
    writer.write(head + b"[1")
    await writer.drain()
    writer.close()
    assert (await world.post(b"{}"))[0] == 200
    assert world.taken == [{}]


async def test_a_body_is_only_invited_once_it_is_wanted(world: World) -> None:
    reader, writer = await asyncio.open_connection(HOST, world.door.port)
    writer.write(_head(world, "Content-Type: application/json\r\nContent-Length: 2\r\nExpect: 100-continue"))
    assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
    writer.write(b"{}")
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 OK")
    writer.close()
    stranger = _head(world, "Content-Length: 2\r\nConnection: close\r\nExpect: 100-continue").replace(b"t.write", b"no")
    answer = await exchange(world.door.port, stranger)
    assert answer.startswith(b"HTTP/1.1 403 ")
    assert b"100 Continue" not in answer


@pytest.fixture(scope="module")
def bomb() -> bytes:
    """512 MiB of zeroes, made without holding them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    zeroes = bytes(MIB)
    return b"".join([*(packer.compress(zeroes) for _ in range(512)), packer.flush()])


def _head(world: World, headers: str, path: str = "json") -> bytes:
    host = f"{HOST}:{world.door.port}"
    return f"POST /api/test/{path} HTTP/1.1\r\nHost: {host}\r\nTest-Caller: t.write\r\n{headers}\r\n\r\n".encode()


async def test_the_answer_to_a_bad_body_is_a_whole_problem(world: World) -> None:
    async with world.client.post(
        "/api/test/json", data=b"[", headers=MEMBER | {"Content-Type": "application/json"}
    ) as answer:
        assert answer.headers["Content-Type"] == "application/problem+json; charset=utf-8"
        problem = json.loads(await answer.read())
    assert problem["instance"] == f"urn:uuid:{problem['request_id']}"
    assert problem["request_id"] == answer.headers["X-Request-Id"]
    assert set(problem) == {
        "type", "title", "title_ja", "status", "detail", "detail_ja", "instance", "request_id", "trace_id",
        "errors",
    }  # fmt: skip
