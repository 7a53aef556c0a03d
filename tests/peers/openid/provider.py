"""The provider's web service."""

import html
import secrets
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

from aiohttp import web
from joserfc import jwt

from tests.peers.openid.checks import OAuthError, check_client, check_code, check_request
from tests.peers.openid.registered import Code, Kept

KEPT = web.AppKey("kept", Kept)
TOKEN_S = 300
PAGE = """<!DOCTYPE html><html lang="ja"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<link rel="icon" href="data:,"><title>{title}</title><h1>{title}</h1><form method="post" action="/login">
<input type="hidden" name="request_uri" value="{request}">
<p><label>会員ID <input name="login" autocomplete="username"></label></p>
<p><label>パスワード <input name="password" type="password" autocomplete="current-password"></label></p>
<p><button>ログイン</button></p></form>{hint}</html>"""


async def metadata(request: web.Request) -> web.Response:
    """OpenID Connect Discovery."""
    issuer = request.app[KEPT].issuer
    return web.json_response(
        {
            "issuer": issuer,
            "authorization_endpoint": f"{issuer}/authorize",
            "token_endpoint": f"{issuer}/token",
            "jwks_uri": f"{issuer}/jwks.json",
            "pushed_authorization_request_endpoint": f"{issuer}/par",
            "revocation_endpoint": f"{issuer}/revoke",
            "authorization_response_iss_parameter_supported": True,
            "require_pushed_authorization_requests": True,
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
        }
    )


async def jwks(request: web.Request) -> web.Response:
    """The public keys."""
    return web.json_response({"keys": [key.as_dict(private=False) for key in request.app[KEPT].keys]})


async def pushed(request: web.Request) -> web.Response:
    """RFC 9126."""
    kept, fields = request.app[KEPT], await _fields(request)
    await check_client(kept, fields)
    check_request(kept, fields)
    request_uri = f"urn:ietf:params:oauth:request_uri:{secrets.token_urlsafe(24)}"
    kept.requests[request_uri] = fields
    return web.json_response({"request_uri": request_uri, "expires_in": 60}, status=201)


async def authorize(request: web.Request) -> web.Response:
    """The log-in form, for pushed requests only."""
    kept, request_uri = request.app[KEPT], request.query.get("request_uri", "")
    if request_uri not in kept.requests or request.query.get("client_id") != kept.client.client_id:
        raise OAuthError("invalid_request", "pushed requests only")
    hint = "".join(f"<p>{html.escape(f'{one.login} / {one.password}')}</p>" for one in kept.members)
    page = PAGE.format(
        title=html.escape(kept.title), request=html.escape(request_uri), hint=hint if kept.tells_members else ""
    )
    return web.Response(text=page, content_type="text/html")


async def login(request: web.Request) -> web.Response:
    """Back to the client, with a code or with a refusal."""
    kept, fields = request.app[KEPT], await _fields(request)
    asked = kept.requests.pop(fields.get("request_uri", ""), None)
    if asked is None:
        raise OAuthError("invalid_request", "used before")
    answer = {"state": asked["state"], "iss": kept.issuer}
    found = [one for one in kept.members if (one.login, one.password) == (fields.get("login"), fields.get("password"))]
    answer |= {"code": kept.code_for(asked, found[0])} if found else {"error": "access_denied"}
    return web.Response(status=303, headers={"Location": f"{asked['redirect_uri']}?{urlencode(answer)}"})


async def token(request: web.Request) -> web.Response:
    """Exchanges a code."""
    kept, fields = request.app[KEPT], await _fields(request)
    await check_client(kept, fields)
    if fields.get("grant_type") != "authorization_code":
        raise OAuthError("unsupported_grant_type", "codes only")
    code = check_code(kept, fields)
    refresh = secrets.token_urlsafe(24)
    kept.tokens.add(refresh)
    return web.json_response(
        {
            "access_token": secrets.token_urlsafe(24),
            "refresh_token": refresh,
            "token_type": "Bearer",
            "expires_in": TOKEN_S,
            "id_token": id_token(kept, code),
        },
        headers={"Cache-Control": "no-store"},
    )


def id_token(kept: Kept, code: Code) -> str:
    """Signed with the newest key."""
    now_s = int(time.time())
    claims: dict[str, Any] = {
        "iss": kept.issuer,
        "sub": code.member.subject,
        "aud": kept.client.client_id,
        "nonce": code.asked["nonce"],
        "iat": now_s,
        "exp": now_s + TOKEN_S,
        **code.member.claims,
        **kept.twist,
    }
    key = kept.keys[-1]
    return jwt.encode({"alg": "ES256", "kid": key.kid}, claims, key, algorithms=["ES256"])


async def revoke(request: web.Request) -> web.Response:
    """RFC 7009: tokens that we do not know are as good as revoked."""
    kept, fields = request.app[KEPT], await _fields(request)
    await check_client(kept, fields)
    kept.tokens.discard(fields.get("token", ""))
    return web.Response()


async def held(request: web.Request) -> web.Response:
    """How many tokens are out, for the provider's own staff."""
    return web.json_response({"tokens": len(request.app[KEPT].tokens)})


async def _fields(request: web.Request) -> dict[str, str]:
    given: Mapping[str, Any] = await request.post()
    return {name: str(value) for name, value in given.items()}


@web.middleware
async def refusals(request: web.Request, handler: Any) -> web.StreamResponse:  # noqa: ANN401 - as aiohttp calls it
    """OAuth's way of saying no."""
    try:
        if request.path == request.app[KEPT].refuses:
            raise OAuthError("invalid_client", "not today")  # noqa: TRY301 - as any other refusal
        response: web.StreamResponse = await handler(request)
    except OAuthError as error:
        return web.json_response({"error": error.name, "error_description": error.why}, status=400)
    return response


def make_app(kept: Kept) -> web.Application:
    """All of it."""
    app = web.Application(middlewares=[refusals])
    app[KEPT] = kept
    app.add_routes(
        [
            web.get("/.well-known/openid-configuration", metadata),
            web.get("/jwks.json", jwks),
            web.post("/par", pushed),
            web.get("/authorize", authorize),
            web.post("/login", login),
            web.post("/token", token),
            web.post("/revoke", revoke),
            web.get("/held", held),
        ]
    )
    return app
