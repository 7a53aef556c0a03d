"""Ids in messages that come by the thousand: UUIDs of the class that costs least."""

from typing import Annotated, Any, Final
from uuid import UUID

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema

try:
    from asyncpg.pgproto import pgproto
except ImportError:  # A store's PC has no database driver, and no thousands of ids.
    CheapUUID: type[UUID] = UUID
else:
    CheapUUID = pgproto.UUID

_CANONICAL: Final = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"


class _Cheap:
    """Reads JSON into the database driver's UUID, a UUID like any other that costs a third to hash, print and send.

    What is given by whoever makes the message stays as it is.
    """

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:  # noqa: ANN401 - pydantic's own word for it
        text = core_schema.str_schema(strict=True, pattern=_CANONICAL)
        read = core_schema.no_info_plain_validator_function(CheapUUID)
        return core_schema.json_or_python_schema(
            core_schema.chain_schema([text, read]), handler(source), serialization=core_schema.to_string_ser_schema()
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return handler(core_schema.uuid_schema())


Id = Annotated[UUID, _Cheap]
"""A UUID; in JSON in its canonical form (RFC 9562, section 4)."""
