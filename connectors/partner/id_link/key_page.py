"""Our public keys, for the providers whose client we are (`jwks_uri` of the client's registration)."""

from typing import Any

from aiohttp import web
from pydantic import BaseModel

from connectors.partner.id_link.client_keys import ClientKeys
from hub.web.app import PUBLIC, Audience, Route, json_response


class PublicKeys(BaseModel):
    """A JSON Web Key Set (RFC 7517)."""

    keys: list[dict[str, Any]]


class KeyPage:
    """`GET /jwks.json`, for anybody."""

    def __init__(self, keys: ClientKeys) -> None:
        self._keys = keys

    def routes(self, audience: Audience) -> list[Route]:
        """The one."""
        return [
            Route(
                audience=audience,
                method="GET",
                path="/jwks.json",
                handler=self.get,
                permission=PUBLIC,
                summary="The hub's keys as your OpenID Connect client: the last, the present and the next one",
                summary_ja="ID連携のクライアント公開鍵（前回、現在、次回）",
                response=PublicKeys,
            )
        ]

    async def get(self, _request: web.Request) -> web.Response:
        """Nothing secret."""
        return json_response(PublicKeys.model_validate(self._keys.public()))
