"""The contracts are complete, the same each time, and what docs/contracts says."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import pytest
from jsonschema import Draft7Validator, Draft202012Validator

from hub import contracts
from hub.ids import uuid7
from hub.routes import ROUTES
from hub.transports.rabbitmq.cloud_events import batch_of
from schemas.catalog import CATALOG, OLD_VERSIONS
from schemas.citizens import CitizenRegistered, MailChoices
from schemas.message import Message, Query
from tests.hub.parts import credited, key_in
from tools.needs import NEEDS

DOCUMENTS: Final = Path(__file__).parents[2] / "docs" / "contracts"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("contracts")
    contracts.write(folder)
    return folder


def _files(folder: Path) -> dict[str, str]:
    """All that is generated; `merge` holds the test vectors of merge files, which have a test of their own."""
    found = {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*.json")}
    return {name: text for name, text in found.items() if not name.startswith("merge/")}


def _references(document: Any) -> Iterator[str]:  # noqa: ANN401 - any JSON
    if isinstance(document, dict):
        if isinstance(document.get("$ref"), str):
            yield document["$ref"]
        for value in document.values():
            yield from _references(value)
    elif isinstance(document, list):
        for value in document:
            yield from _references(value)


def _resolved(document: Any, reference: str) -> Any:  # noqa: ANN401 - any JSON
    found = document
    for part in reference.removeprefix("#/").split("/"):
        found = found[part]
    return found


def test_docs_contracts_is_what_the_code_says_now(written: Path) -> None:
    assert _files(written) == _files(DOCUMENTS), "make contracts writes them anew"


def test_they_are_the_same_each_time_whatever_the_settings(
    written: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MYKEY_PUBLIC_URL", "https://points.example.jp")
    monkeypatch.setenv("MYKEY_HTTP_PORT", "9999")
    contracts.write(tmp_path)

    assert _files(tmp_path) == _files(written)


def test_every_message_type_has_its_schema_and_no_other_is_left(tmp_path: Path) -> None:
    gone = tmp_path / "messages" / "jp.mykey.points.gone.v1.json"
    gone.parent.mkdir()
    gone.write_text("{}")

    contracts.write(tmp_path)

    assert {path.stem for path in gone.parent.iterdir()} == set(CATALOG) | set(OLD_VERSIONS)


def test_all_references_lead_somewhere(written: Path) -> None:
    for path in written.rglob("*.json"):
        document = json.loads(path.read_text(encoding="utf-8"))
        for reference in _references(document):
            assert _resolved(document, reference) is not None


def test_every_delivered_type_is_in_the_batch_of_each_of_its_receivers() -> None:
    document = contracts.asyncapi()
    for message_type, route in ROUTES.items():
        if issubclass(message_type, Query):
            continue
        for receiver in route.delivered_to():
            batch = document["components"]["messages"][f"{receiver}.batch"]["payload"]
            assert {"$ref": f"#/components/schemas/{message_type.__name__}Event"} in batch["items"]["oneOf"]
            assert document["channels"][f"deliveries.{receiver}"]


def test_every_answered_type_has_an_operation_with_a_reply() -> None:
    operations = contracts.asyncapi()["operations"]
    answered = [one for one in CATALOG.values() if issubclass(one, Query)]

    assert answered
    assert all(operations[f"calls.{one.__name__}"]["reply"] for one in answered)


def test_the_schema_of_a_message_fits_what_is_sent() -> None:
    message = credited(500)
    schema = contracts.message_schema(type(message))
    sent = json.loads(message.model_dump_json())

    assert set(schema["required"]) <= set(sent) <= set(schema["properties"])
    assert schema["x-kind"] == "event"
    assert schema["x-receivers"] == ["mail"]


def test_asyncapi_is_what_its_makers_say_it_is() -> None:
    need = NEEDS["asyncapi"]
    if not need.brings.exists():
        pytest.skip(f"{need.package} is not here (python -m tools.needs asyncapi, which needs npm)")
    checker = Draft7Validator(json.loads(need.brings.read_text(encoding="utf-8")))

    assert [error.message for error in checker.iter_errors(contracts.asyncapi())] == []
    assert not checker.is_valid(contracts.asyncapi() | {"operations": {"x": {"action": "shout"}}}), "the check can fail"


def test_every_schema_is_a_json_schema(written: Path) -> None:
    schemas = [json.loads(path.read_text(encoding="utf-8")) for path in (written / "messages").iterdir()]

    for schema in schemas:
        # Patterns are ECMA-262's, with \p{…}, which Python's own regular expressions cannot judge.
        Draft202012Validator(Draft202012Validator.META_SCHEMA).validate(schema)
    assert len(schemas) == len(CATALOG) + len(OLD_VERSIONS)


@pytest.mark.parametrize(
    "message",
    [credited(500), CitizenRegistered(citizen_id=key_in(1), name="山田 花子", mail="a@b.jp", choices=MailChoices())],
    ids=["plain", "sealed"],
)
def test_what_goes_over_the_broker_is_as_described(message: Message) -> None:
    message_id = uuid7()
    body = message.model_dump_json().encode()
    row = (message_id, message.TYPE, "ledger", message.key(), None, uuid4(), 5, datetime.now(UTC), body)
    (event,) = json.loads(batch_of([row]))
    document = contracts.asyncapi()
    reference = f"#/components/schemas/{type(message).__name__}Event"
    schema = {"$ref": reference, "components": document["components"]}
    checker = Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)

    assert [error.message for error in checker.iter_errors(event)] == []
    changes: list[dict[str, Any]] = [
        {"specversion": "2"},
        {"type": "x"},
        {"traceparent": "01"},
        {"id": 5},
        {"data": {}} if "data" in event else {"data_base64": None},
    ]
    for spoilt in changes:
        assert not checker.is_valid(event | spoilt), spoilt
    for name in ("data", "data_base64", "correlationid"):
        assert name not in event or not checker.is_valid({key: event[key] for key in event if key != name}), name
    envelope = document["components"]["schemas"]["CloudEvent"]["properties"]
    assert set(event) <= set(envelope)
    assert all(one["description"] for one in envelope.values())


def test_openapi_has_the_doors_of_the_components() -> None:
    paths = contracts.openapi_of_installed()["paths"]

    assert "/api/partner/transfers" in paths
