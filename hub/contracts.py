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
from hub.web.openapi import openapi
from schemas.catalog import CATALOG
from schemas.message import Answered, Message, Query

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
ASYNCAPI_VERSION: Final = "3.0.0"
CONTRACTS_VERSION: Final = "1.0.0"
BATCH_TYPE: Final = "application/cloudevents-batch+json"
JSON_TYPE: Final = "application/json"

_NO_DATABASE: Final = "postgresql:///none?host=/nowhere"
_NO_KEY: Final = "it seals nothing, and nothing is signed by it: 0123456789"

# A JSON object as these documents have it: of any form.
Object: TypeAlias = dict[str, Any]


def write(folder: Path) -> None:
    """Write all contracts into `folder`; files of message types that are gone are removed."""
    messages = folder / "messages"
    messages.mkdir(parents=True, exist_ok=True)
    for old in messages.glob("*.json"):
        if old.stem not in CATALOG:
            old.unlink()
    for name, message_type in CATALOG.items():
        _write(messages / f"{name}.json", message_schema(message_type))
    _write(folder / "asyncapi.json", asyncapi())
    _write(folder / "openapi.json", openapi_of_installed())


def _write(path: Path, document: Object) -> None:
    path.write_text(f"{json.dumps(document, ensure_ascii=False, indent=2)}\n", encoding="utf-8")


def message_schema(message_type: type[Message]) -> Object:
    """The JSON Schema (2020-12) of a message's data; `x-answer` is what it is answered by."""
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
    models: list[type[BaseModel]] = [*CATALOG.values(), *filter(None, map(_answer_of, CATALOG.values()))]
    references, definitions = _schemas(list(dict.fromkeys(models)), "#/components/schemas/{model}")
    schemas = {f"{one.__name__}Event": _event_schema(one, references[one]) for one in _delivered()}
    return {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {
            "title": "MyKey Hub messages",
            "version": CONTRACTS_VERSION,
            "description": "What the components of MyKey Hub say to one another, as CloudEvents 1.0 in batches.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": BATCH_TYPE,
        "channels": dict(_channels()),
        "operations": dict(_operations()),
        "components": {
            "messages": dict(_messages(references)),
            "schemas": dict(sorted((definitions | schemas).items())),
        },
    }


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


def _answer_of(message_type: type[Message]) -> type[BaseModel] | None:
    return message_type.answer_type() if issubclass(message_type, Answered) else None


def _schemas(models: list[type[BaseModel]], template: str) -> tuple[Mapping[type[BaseModel], Object], Object]:
    """The reference to each model, and all definitions by name."""
    names, document = models_json_schema([(model, "serialization") for model in models], ref_template=template)
    definitions = cast("Object", document.get("$defs", {}))
    return {model: names[model, "serialization"] for model in models}, definitions


def _facts(message_type: type[Message]) -> Object:
    return {
        "type": message_type.TYPE,
        "kind": kind_of(message_type),
        "personal": message_type.PERSONAL,
        "receivers": list(ROUTES[message_type].receivers),
    }


def _delivered() -> list[type[Message]]:
    """What can come as a delivery: everything but questions."""
    return [one for one in CATALOG.values() if not issubclass(one, Query)]


def _event_schema(message_type: type[Message], reference: Object) -> Object:
    """The CloudEvents 1.0 envelope of one message type, in JSON."""
    uuid = {"type": "string", "format": "uuid"}
    return {
        "title": f"{message_type.__name__}Event",
        "type": "object",
        "required": ["specversion", "id", "source", "type", "time", "subject", "correlationid", "data"],
        "properties": {
            "specversion": {"const": "1.0"},
            "id": {**uuid, "description": "UUIDv7; a message that comes again comes under the same id"},
            "source": {"type": "string", "description": "the component that said it"},
            "type": {"const": message_type.TYPE},
            "time": {"type": "string", "format": "date-time"},
            "subject": {**uuid, "description": "what it is about; messages of one subject are in order"},
            "correlationid": {**uuid, "description": "the id of what began it all"},
            "datacontenttype": {"const": JSON_TYPE},
            "data": reference,
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
    events = [{"$ref": f"#/components/schemas/{one.__name__}Event"} for one in kinds]
    return {
        "name": f"{receiver}.batch",
        "title": f"What {receiver} receives",
        "contentType": BATCH_TYPE,
        "payload": {"type": "array", "minItems": 1, "maxItems": DELIVERY_LIMIT, "items": {"oneOf": events}},
    }


def _body(name: str, model: type[BaseModel], reference: Object) -> Object:
    summary = (model.__doc__ or "").partition("\n")[0]
    return {"name": name, "title": model.__name__, "summary": summary, "contentType": JSON_TYPE, "payload": reference}
