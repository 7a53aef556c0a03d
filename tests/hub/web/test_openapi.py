"""The document says what the table says, and its page shows it without a script or a stranger."""

import json
import re
from html.parser import HTMLParser

import pytest
from aiohttp import web
from pydantic import BaseModel, Field

from hub.web.app import PUBLIC, Callback, Route
from hub.web.health import health_routes
from hub.web.openapi import document_routes, openapi
from hub.web.pages import Page, PageQuery
from hub.web.reference import Html, element, reference_page
from hub.web.signatures import SECURITY
from schemas.problems import ProblemCode
from tests.hub.web.serving import audience, by_header, route, serving


class Item(BaseModel):
    """An item <script>alert(1)</script>."""

    points: int = Field(strict=True, ge=1)


class Receipt(BaseModel):
    id: str


class Sold(BaseModel):
    item: Item


async def nothing(_request: web.Request) -> web.Response:
    return web.json_response({})


def table() -> list[Route]:
    group = audience(security=SECURITY)
    return [
        route(
            audience=group,
            method="POST",
            path="/items",
            handler=nothing,
            request=Item,
            response=Receipt,
            status=201,
            problems=(ProblemCode.id_conflict,),
        ),
        route(audience=group, method="GET", path="/items", handler=nothing, query=PageQuery, response=Page[Receipt]),
        route(audience=group, method="GET", path="/items/{id:[A-Z]{1,8}}", handler=nothing, response=Receipt),
        route(audience=group, method="PUT", path="/files", handler=nothing, consumes=("text/csv",)),
        route(
            audience=group,
            method="PUT",
            path="/hook",
            handler=nothing,
            request=Item,
            callbacks=[Callback("item.sold", Sold, "Sold", "売れました")],
        ),
        *health_routes([]),
    ]


def test_the_document_says_what_the_table_says() -> None:
    document = openapi(table())
    assert document["openapi"] == "3.1.0"
    assert set(document["paths"]) == {"/api/test/items", "/api/test/items/{id}", "/api/test/files", "/api/test/hook"}
    (sent,) = document["paths"]["/api/test/hook"]["put"]["callbacks"]["item.sold"].values()
    told = sent["post"]["requestBody"]["content"]["application/json"]["schema"]["properties"]
    assert (told["type"], told["data"]) == ({"const": "item.sold"}, {"$ref": "#/components/schemas/Sold"})
    post = document["paths"]["/api/test/items"]["post"]
    assert post["requestBody"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Item"}
    assert post["responses"]["201"]["content"]["application/json"]["schema"] == {"$ref": "#/components/schemas/Receipt"}
    assert "id_conflict" in post["responses"]["422"]["description"]
    assert {"400", "401", "403", "408", "413", "415", "500", "503"} <= set(post["responses"])
    assert post["security"] == [{"httpSignature": []}]
    assert post["operationId"] == "post_api_test_items"
    by_id = document["paths"]["/api/test/items/{id}"]["get"]
    assert by_id["parameters"] == [
        {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "pattern": "^(?:[A-Z]{1,8})$"}}
    ]
    page = document["paths"]["/api/test/items"]["get"]["parameters"]
    assert [(one["name"], one["in"], one["required"]) for one in page] == [
        ("limit", "query", False),
        ("cursor", "query", False),
    ]
    assert page[0]["schema"]["maximum"] == 1000


def test_every_reference_in_the_document_leads_somewhere() -> None:
    document = openapi(table())
    names = set(re.findall(r'"#/components/schemas/([^"]+)"', json.dumps(document)))
    assert names <= set(document["components"]["schemas"])
    assert {"Item", "Receipt", "Problem", "FieldError"} <= set(document["components"]["schemas"])


def test_operation_ids_are_unique() -> None:
    ids = [one["operationId"] for path in openapi(table())["paths"].values() for one in path.values()]
    assert len(ids) == len(set(ids)) == 5


def test_a_public_route_needs_nothing() -> None:
    (made,) = openapi(
        [route(audience=audience(authenticate=by_header), method="GET", path="/x", handler=nothing, permission=PUBLIC)]
    )["paths"].values()
    assert made["get"]["security"] == []
    assert "401" not in made["get"]["responses"]


@pytest.mark.loopback
async def test_document_and_page_are_served_to_anybody() -> None:
    routes = table()
    async with serving([*routes, *document_routes(routes)]) as (_, client):
        async with client.get("/api/openapi.json") as answer:
            assert answer.headers["Content-Type"] == "application/json; charset=utf-8"
            assert await answer.json() == openapi(routes)
        policies = set()
        for _ in range(2):
            async with client.get("/api/") as answer:
                assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
                policy = answer.headers["Content-Security-Policy"]
                page = await answer.text()
            (nonce,) = re.findall(r"style-src 'nonce-([A-Za-z0-9_-]{20,})'", policy)
            assert f'<style nonce="{nonce}">' in page
            assert "default-src 'none'" in policy
            assert "unsafe" not in policy
            policies.add(policy)
        assert len(policies) == 2


class Reader(HTMLParser):
    """Collects the tags, their addresses and ids."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.addresses: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        if tag != "meta":
            self.open.append(tag)
        for name, value in attrs:
            assert not name.startswith("on")
            assert name != "style"
            if name in {"href", "src", "action"}:
                self.addresses.append(value or "")
            if name == "id":
                self.ids.append(value or "")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_has_no_script_no_foreign_address_and_no_dead_link() -> None:
    reader = Reader()
    text = reference_page(openapi(table()), "n0nce")
    reader.feed(text)
    assert reader.open == []
    assert "script" not in reader.tags
    assert len(reader.ids) == len(set(reader.ids))
    assert {address.removeprefix("#") for address in reader.addresses} <= {"openapi.json", *reader.ids}
    assert "&lt;script&gt;alert(1)" in text
    assert "リクエスト" in text
    assert "売れました" in text
    assert {f"problem-{code}" for code in ProblemCode} <= set(reader.ids)


def test_elements_escape_what_they_are_given() -> None:
    made = element("p", "<b>&", element("i", '"'), Html("<hr>"), title='"><x')
    assert made == '<p title="&quot;&gt;&lt;x">&lt;b&gt;&amp;<i>&quot;</i><hr></p>'
