"""The contracts are complete, the same each time, and what docs/contracts says."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from hub import contracts
from hub.routes import ROUTES
from schemas.catalog import CATALOG
from schemas.message import Query
from tests.hub.parts import credited

DOCUMENTS: Final = Path(__file__).parents[2] / "docs" / "contracts"


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("contracts")
    contracts.write(folder)
    return folder


def _files(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): path.read_text(encoding="utf-8") for path in folder.rglob("*.json")}


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

    assert {path.stem for path in gone.parent.iterdir()} == set(CATALOG)


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


def test_openapi_has_the_doors_of_the_components() -> None:
    paths = contracts.openapi_of_installed()["paths"]

    assert "/api/partner/transfers" in paths
