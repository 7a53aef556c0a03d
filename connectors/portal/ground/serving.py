"""The look's files over HTTP: kept by browsers for a year, because their names change with their content."""

from typing import Final

from aiohttp import hdrs, web

from connectors.portal.ground.look import ADDRESS, KEPT_S, Look
from hub.web.app import PUBLIC, Audience, Route
from hub.web.limits import RateLimiter
from hub.web.problems import ProblemError
from schemas.problems import ProblemCode

RATE_PER_S: Final = 200.0
BURST: Final = 2_000
"""Of one address: a whole company or a mobile carrier may be behind it, and memory is all this costs."""

_HEADERS: Final = {
    hdrs.CACHE_CONTROL: f"public, max-age={KEPT_S}, immutable",
    hdrs.VARY: hdrs.ACCEPT_ENCODING,
}


def look_routes(look: Look) -> list[Route]:
    """The one route; anybody may ask."""

    async def serve(request: web.Request) -> web.Response:
        asset = look.asset(request.match_info["name"])
        if asset is None:
            raise ProblemError(ProblemCode.not_found)
        headers = dict(_HEADERS)
        body = asset.content
        if asset.gzipped is not None and "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, ""):
            headers[hdrs.CONTENT_ENCODING] = "gzip"
            body = asset.gzipped
        charset = "utf-8" if asset.is_text else None
        return web.Response(body=body, content_type=asset.content_type, charset=charset, headers=headers)

    audience = Audience(
        name="look",
        prefix=ADDRESS,
        title="The portal's look",
        title_ja="ポータルの見た目",
        rate=RateLimiter(RATE_PER_S, BURST),
        documented=False,
    )
    return [
        Route(
            audience=audience,
            method="GET",
            path="/{name:[A-Za-z0-9._-]{1,80}}",
            handler=serve,
            summary="A style sheet, script or picture",
            summary_ja="スタイルシート、スクリプト、画像",
            permission=PUBLIC,
            produces=("text/css", "text/javascript", "image/svg+xml", "image/png"),
        )
    ]
