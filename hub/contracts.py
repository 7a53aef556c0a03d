"""The contracts as files: a JSON Schema for each message type, AsyncAPI 3.0 of the deliveries, OpenAPI of the doors.

The same program writes the same bytes, so that a difference in docs/contracts is a change of what we promise.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from hub.clock import SystemClock
from hub.component import Component, Context
from hub.database import Database
from hub.installed import installed
from hub.keys import Keys
from hub.outbox import DELIVERY_LIMIT
from hub.process import HubProcess
from hub.routes import ROUTES, kind_of
from hub.sealing import PURPOSE
from hub.settings import Settings
from hub.transports.rabbitmq.cloud_events import CONTENT_TYPE, SEALED_TYPE
from hub.web.openapi import openapi
from schemas.catalog import CATALOG, OLD_VERSIONS
from schemas.message import Answered, Message, OldVersion, Query

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
ASYNCAPI_VERSION: Final = "3.0.0"
CONTRACTS_VERSION: Final = "1.0.0"
JSON_TYPE: Final = "application/json"

_NO_DATABASE: Final = "postgresql:///none?host=/nowhere"
_NO_KEY: Final = "it seals nothing, and nothing is signed by it: 0123456789"

# A JSON object as these documents have it: of any form.
Object: TypeAlias = dict[str, Any]
Readable: TypeAlias = type[Message] | type[OldVersion]


def write(folder: Path) -> None:
    """Write all contracts into `folder`; files of message types that are gone are removed."""
    messages = folder / "messages"
    messages.mkdir(parents=True, exist_ok=True)
    for old in messages.glob("*.json"):
        if old.stem not in CATALOG and old.stem not in OLD_VERSIONS:
            old.unlink()
    for message_type in _readable():
        _write(messages / f"{message_type.TYPE}.json", message_schema(message_type))
    _write(folder / "asyncapi.json", asyncapi())
    _write(folder / "openapi.json", openapi_of_installed())


def _write(path: Path, document: Object) -> None:
    path.write_text(f"{json.dumps(document, ensure_ascii=False, indent=2)}\n", encoding="utf-8")


def message_schema(message_type: Readable) -> Object:
    """The JSON Schema (2020-12) of a message's data.

    `x-answer` is what it is answered by, `x-newer` the type that an old version is read as.
    """
    answer = _answer_of(message_type)
    models: list[type[BaseModel]] = [message_type] if answer is None else [message_type, answer]
    references, definitions = _schemas(models, "#/$defs/{model}")
    definitions = dict(definitions)
    schema: Object = {"$schema": DIALECT, "$id": f"urn:cloudevents:{message_type.TYPE}"}
    schema |= definitions.pop(references[message_type]["$ref"].rpartition("/")[2])
    schema |= {f"x-{key}": value for key, value in _facts(message_type).items()}
    if answer is not None:
        schema["x-answer"] = references[answer]
    return schema | ({"$defs": definitions} if definitions else {})


def asyncapi() -> Object:
    """AsyncAPI 3.0: a channel of deliveries for each receiver, and one of calls where it answers."""
    models: list[type[BaseModel]] = [*_readable(), *filter(None, map(_answer_of, _readable()))]
    references, definitions = _schemas(list(dict.fromkeys(models)), "#/components/schemas/{model}")
    schemas = {f"{one.__name__}Event": _event_schema(one, references[one]) for one in _delivered()}
    schemas["CloudEvent"] = _envelope_schema()
    return {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {
            "title": "MyKey Hub messages",
            "version": CONTRACTS_VERSION,
            "description": "What the components of MyKey Hub say to one another, as CloudEvents 1.0 in batches.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": CONTENT_TYPE,
        "channels": dict(_channels()),
        "operations": dict(_operations()),
        "components": {
            "messages": dict(_messages(references)),
            "schemas": _in_asyncapi(dict(sorted((definitions | schemas).items()))),
        },
    }


def _in_asyncapi(schema: Any) -> Any:  # noqa: ANN401 - any JSON
    """Pydantic names a discriminator as OpenAPI does, by an object; AsyncAPI wants the property's name alone."""
    if isinstance(schema, list):
        return [_in_asyncapi(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    told = {key: _in_asyncapi(value) for key, value in schema.items()}
    match told.get("discriminator"):
        case {"propertyName": name, "mapping": dict()}:
            told["discriminator"] = name
    return told


def openapi_of_installed() -> Object:
    """The OpenAPI document of all installed components; none of them is connected to anything."""
    settings = Settings.model_validate({"database_url": _NO_DATABASE, "secret_key": _NO_KEY})
    found = installed()
    process = HubProcess(settings, SystemClock(), found, _NO_DATABASE)
    sealer = Keys(settings.key()).sealer(PURPOSE)
    components: list[Component] = []
    for one in found:
        database = Database(one.name, _NO_DATABASE, 1, process.clock, sealer)
        components.append(one.factory(Context(settings, process.clock, process, database)))
    return openapi([route for component in components for route in component.routes])


def _readable() -> list[Readable]:
    return [*CATALOG.values(), *OLD_VERSIONS.values()]


def _answer_of(message_type: Readable) -> type[BaseModel] | None:
    return message_type.answer_type() if issubclass(message_type, Answered) else None


def _schemas(models: list[type[BaseModel]], template: str) -> tuple[Mapping[type[BaseModel], Object], Object]:
    """The reference to each model, and all definitions by name."""
    names, document = models_json_schema([(model, "serialization") for model in models], ref_template=template)
    definitions = cast("Object", document.get("$defs", {}))
    return {model: names[model, "serialization"] for model in models}, definitions


def _facts(message_type: Readable) -> Object:
    newest = message_type.newest_type() if issubclass(message_type, OldVersion) else message_type
    facts: Object = {
        "type": message_type.TYPE,
        "kind": kind_of(newest),
        "personal": message_type.PERSONAL,
        "receivers": list(ROUTES[newest].receivers),
    }
    return facts if newest is message_type else facts | {"newer": newest.TYPE}


def _delivered() -> list[Readable]:
    """What can come as a delivery: everything but questions."""
    return [one for kind in CATALOG.values() if not issubclass(kind, Query) for one in _versions(kind)]


def _versions(message_type: type[Message]) -> list[Readable]:
    """A message type, and the old versions that are read as it."""
    return [message_type, *(old for old in OLD_VERSIONS.values() if old.newest_type() is message_type)]


def _event_schema(message_type: Readable, reference: Object) -> Object:
    """One message type in its envelope; of what carries personal data the broker sees no more than the envelope."""
    base64 = {"type": "string", "contentEncoding": "base64", "x-sealed": reference}
    data = {"datacontenttype": {"const": SEALED_TYPE}, "data_base64": base64}
    return {
        "title": f"{message_type.__name__}Event",
        "allOf": [{"$ref": "#/components/schemas/CloudEvent"}],
        "required": ["datacontenttype", "data_base64"] if message_type.PERSONAL else ["data"],
        "properties": {
            "type": {"const": message_type.TYPE},
            **(data if message_type.PERSONAL else {"data": reference}),
        },
    }


def _envelope_schema() -> Object:
    """The CloudEvents 1.0 envelope in JSON, with the extensions that we use."""
    uuid = {"type": "string", "format": "uuid"}
    return {
        "title": "CloudEvent",
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "subject", "correlationid"],
        "properties": {
            "specversion": {"const": "1.0", "description": "the version of CloudEvents"},
            "id": {**uuid, "description": "UUIDv7; a message that comes again comes under the same id"},
            "source": {"type": "string", "description": "the component that said it"},
            "type": {"type": "string", "description": "what was said, and in which version"},
            "time": {"type": "string", "format": "date-time", "description": "when it was said, with an offset"},
            "subject": {**uuid, "description": "what it is about; messages of one subject are in order"},
            "datacontenttype": {"type": "string", "description": "of data_base64; data is JSON"},
            "data": {"type": "object", "description": "the message, by the schema of its type"},
            "data_base64": {"type": "string", "description": "a message with personal data, sealed (AES-256-GCM)"},
            "correlationid": {**uuid, "description": "the id of what began it all: the trace id, as a UUID"},
            "traceparent": {
                "type": "string",
                "pattern": "^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$",
                "description": "W3C Trace Context: correlationid and, as parent, what caused the message, whose own "
                "span is the last half of id; missing where the message began its trace",
            },
        },
    }


def _routed(*, calls: bool) -> dict[str, list[type[Message]]]:
    """Receiver → the message types that it gets as deliveries, or that it answers."""
    found: dict[str, list[type[Message]]] = {}
    for message_type, route in ROUTES.items():
        if calls and _answer_of(message_type) is not None:
            found.setdefault(route.receivers[0], []).append(message_type)
        if not calls and not issubclass(message_type, Query):
            for receiver in route.delivered_to():
                found.setdefault(receiver, []).append(message_type)
    return dict(sorted(found.items()))


def _channels() -> Iterator[tuple[str, Object]]:
    for receiver in _routed(calls=False):
        message = {"$ref": f"#/components/messages/{receiver}.batch"}
        yield f"deliveries.{receiver}", {"address": receiver, "messages": {"batch": message}}
    for receiver, kinds in _routed(calls=True).items():
        names = [name for one in kinds for name in (one.__name__, f"{one.__name__}.answer")]
        messages = {name: {"$ref": f"#/components/messages/{name}"} for name in names}
        yield f"calls.{receiver}", {"address": f"call.{receiver}", "messages": messages}


def _operations() -> Iterator[tuple[str, Object]]:
    for receiver in _routed(calls=False):
        channel = f"#/channels/deliveries.{receiver}"
        yield f"deliveries.{receiver}", {"action": "receive", "channel": {"$ref": channel}}
    for receiver, kinds in _routed(calls=True).items():
        channel = f"#/channels/calls.{receiver}"
        for one in kinds:
            yield (
                f"calls.{one.__name__}",
                {
                    "action": "receive",
                    "channel": {"$ref": channel},
                    "messages": [{"$ref": f"{channel}/messages/{one.__name__}"}],
                    "reply": {
                        "channel": {"$ref": channel},
                        "messages": [{"$ref": f"{channel}/messages/{one.__name__}.answer"}],
                    },
                },
            )


def _messages(references: Mapping[type[BaseModel], Object]) -> Iterator[tuple[str, Object]]:
    for receiver, kinds in _routed(calls=False).items():
        yield f"{receiver}.batch", _batch(receiver, kinds)
    for kinds in _routed(calls=True).values():
        for one in kinds:
            answer = _answer_of(one)
            yield one.__name__, _body(one.TYPE, one, references[one])
            if answer is not None:
                yield f"{one.__name__}.answer", _body(f"{one.TYPE}.answer", answer, references[answer])


def _batch(receiver: str, kinds: list[type[Message]]) -> Object:
    events = [{"$ref": f"#/components/schemas/{one.__name__}Event"} for kind in kinds for one in _versions(kind)]
    return {
        "name": f"{receiver}.batch",
        "title": f"What {receiver} receives",
        "contentType": CONTENT_TYPE,
        "payload": {"type": "array", "minItems": 1, "maxItems": DELIVERY_LIMIT, "items": {"oneOf": events}},
    }


def _body(name: str, model: type[BaseModel], reference: Object) -> Object:
    summary = (model.__doc__ or "").partition("\n")[0]
    return {"name": name, "title": model.__name__, "summary": summary, "contentType": JSON_TYPE, "payload": reference}
