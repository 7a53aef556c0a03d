"""OpenAPI 3.1 of the route table, made of the very models that validate: it cannot say anything else."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeAlias

from aiohttp import web
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from hub.web.answers import new_nonce, page_policy
from hub.web.app import PUBLIC, Audience, Callback, Route
from hub.web.bodies import JSON
from hub.web.problems import PROBLEM_TYPE
from hub.web.reference import reference_page
from schemas.problems import PROBLEMS, REFUSALS, Problem, ProblemCode, problem_type

API_VERSION: Final = "1.0.0"
DOCUMENT_PATH: Final = "/openapi.json"
REFERENCE: Final = "#/components/schemas/{model}"

_PARAMETER: Final = re.compile(r"\{(?P<name>[_a-zA-Z]\w*)(?::(?P<pattern>[^{}]*(?:\{[^{}]*\}[^{}]*)*))?\}")
_EVERYWHERE: Final = (
    ProblemCode.bad_request,
    ProblemCode.bad_query,
    ProblemCode.internal,
    ProblemCode.unavailable,
)
_WITH_BODY: Final = (ProblemCode.body_timeout, ProblemCode.too_large, ProblemCode.media_type)
_WITH_JSON: Final = (ProblemCode.bad_json, ProblemCode.bad_field)

# A JSON object as OpenAPI and JSON Schema have it: of any form.
Object: TypeAlias = dict[str, Any]


def openapi(routes: Sequence[Route]) -> Object:
    """The document of all documented routes, in their order."""
    documented = [route for route in routes if route.audience.documented]
    names, schemas = _schemas(documented)
    paths: Object = {}
    for route in documented:
        paths.setdefault(_PARAMETER.sub(r"{\g<name>}", route.full_path), {})[route.method.lower()] = _operation(
            route, names
        )
    audiences = list(dict.fromkeys(route.audience for route in documented))
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "MyKey Hub API",
            "version": API_VERSION,
            "description": "The interfaces of MyKey Hub. マイキーハブのAPI仕様です（参考実装）。",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "tags": [{"name": one.name, "description": f"{one.title} / {one.title_ja}"} for one in audiences],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {name: scheme for one in audiences for name, scheme in one.security.items()},
        },
        "x-problems": _catalogue(),
        "x-refusals": {
            code.value: {"detail": text.detail, "detail_ja": text.detail_ja} for code, text in REFUSALS.items()
        },
    }


def document_routes(routes: Sequence[Route]) -> list[Route]:
    """`/api/openapi.json` and its page `/api/`, for these routes: add them to what `make_app` is given."""
    audience = Audience("documents", "/api", "Documents", "仕様書", documented=False)
    document = openapi(routes)
    make = partial(Route, audience=audience, method="GET", permission=PUBLIC)
    served = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return [
        make(
            path=DOCUMENT_PATH,
            handler=partial(_document, served),
            summary="OpenAPI 3.1",
            summary_ja="OpenAPI 3.1",
        ),
        make(path="/", handler=partial(_page, document), summary="Reference", summary_ja="APIリファレンス"),
    ]


async def _document(served: bytes, _request: web.Request) -> web.Response:
    return web.Response(body=served, content_type=JSON, charset="utf-8")


async def _page(document: Object, _request: web.Request) -> web.Response:
    nonce = new_nonce()
    return web.Response(
        text=reference_page(document, nonce),
        content_type="text/html",
        charset="utf-8",
        headers={"Content-Security-Policy": page_policy(nonce)},
    )


_Names: TypeAlias = Mapping[tuple[type[BaseModel], JsonSchemaMode], Object]


def _schemas(routes: Iterable[Route]) -> tuple[_Names, Object]:
    """The reference to each model, and all schemas by name."""
    models: list[tuple[type[BaseModel], JsonSchemaMode]] = [(Problem, "serialization")]
    for route in routes:
        if route.request is not None:
            models.append((route.request, "validation"))
        if route.response is not None:
            models.append((route.response, "serialization"))
        models += [(one.data, "serialization") for one in route.callbacks]
    names, definitions = models_json_schema(list(dict.fromkeys(models)), ref_template=REFERENCE)
    return {key: names[key] for key in models}, definitions.get("$defs", {})


def _operation(route: Route, names: _Names) -> Object:
    operation: Object = {
        "operationId": _operation_id(route),
        "tags": [route.audience.name],
        "summary": route.summary,
        "x-summary-ja": route.summary_ja,
        "x-permission": route.permission,
        "parameters": [*_path_parameters(route), *_query_parameters(route)],
        "responses": {str(route.status): _answer(route, names), **_problem_answers(route, names)},
        "security": [] if route.permission == PUBLIC else [{name: []} for name in route.audience.security],
    }
    if route.takes_body:
        operation["requestBody"] = {"required": True, "content": dict(_content(route, names))}
    if route.callbacks:
        operation["callbacks"] = {one.name: {"{$request.body#/url}": _callback(one, names)} for one in route.callbacks}
    return operation


def _callback(callback: Callback, names: _Names) -> Object:
    schema = {
        "type": "object",
        "required": ["type", "timestamp", "data"],
        "properties": {
            "type": {"const": callback.name},
            "timestamp": {"type": "string", "format": "date-time"},
            "data": names[callback.data, "serialization"],
        },
    }
    return {
        "post": {
            "summary": callback.summary,
            "x-summary-ja": callback.summary_ja,
            "requestBody": {"required": True, "content": {JSON: {"schema": schema}}},
            "responses": {"2XX": {"description": "Taken"}},
        }
    }


def _operation_id(route: Route) -> str:
    words = re.findall(r"[A-Za-z0-9]+", _PARAMETER.sub(r"by_\g<name>", route.full_path))
    return "_".join([route.method.lower(), *words])


def _path_parameters(route: Route) -> Iterator[Object]:
    for found in _PARAMETER.finditer(route.full_path):
        schema = {"type": "string"}
        if found["pattern"]:
            schema["pattern"] = f"^(?:{found['pattern']})$"
        yield {"name": found["name"], "in": "path", "required": True, "schema": schema}


def _query_parameters(route: Route) -> Iterator[Object]:
    if route.query is None:
        return
    schema = route.query.model_json_schema(ref_template=REFERENCE)
    for name, field in schema.get("properties", {}).items():
        yield {
            "name": name,
            "in": "query",
            "required": name in schema.get("required", ()),
            "description": field.get("description", ""),
            "schema": {key: value for key, value in field.items() if key != "description"},
        }


def _content(route: Route, names: _Names) -> Iterator[tuple[str, Object]]:
    if route.request is not None:
        yield JSON, {"schema": names[route.request, "validation"]}
    for media_type in route.consumes:
        yield media_type, {"schema": {"type": "string"}}


def _answer(route: Route, names: _Names) -> Object:
    content: Object = {media_type: {"schema": {"type": "string"}} for media_type in route.produces}
    if route.response is not None:
        content[JSON] = {"schema": names[route.response, "serialization"]}
    return {"description": route.summary, **({"content": content} if content else {})}


def _problem_answers(route: Route, names: _Names) -> Object:
    by_status: dict[int, list[ProblemCode]] = {}
    for code in _problems(route):
        by_status.setdefault(PROBLEMS[code].status, []).append(code)
    return {
        str(status): {
            "description": " / ".join(f"{code.value}: {PROBLEMS[code].title}" for code in codes),
            "content": {PROBLEM_TYPE: {"schema": names[Problem, "serialization"]}},
        }
        for status, codes in sorted(by_status.items())
    }


def _problems(route: Route) -> list[ProblemCode]:
    """What the guard and the body reader may answer, and what the route itself says."""
    found = [*_EVERYWHERE, *route.problems]
    if route.permission != PUBLIC:
        found += [ProblemCode.forbidden, route.audience.unproven]
    if route.takes_body:
        found += _WITH_BODY
    if route.request is not None:
        found += _WITH_JSON
    if route.audience.rate is not None:
        found.append(ProblemCode.too_many)
    if route.audience.room is not None:
        found.append(ProblemCode.busy)
    return list(dict.fromkeys(found))


def _catalogue() -> Object:
    return {code.value: {"type": problem_type(code), **text._asdict()} for code, text in PROBLEMS.items()}
