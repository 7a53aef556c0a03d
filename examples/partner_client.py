"""A small client of MyKey Hub for partners, shops and funds. Copy it; it needs Python 3.11 and PyPI's `cryptography`.

    hub = Hub("https://hub.example", "my-key-id", Path("key.pem").read_bytes())
    results = hub.post("/api/partner/transfers", {"transfers": [...]})["results"]

Requests are signed by RFC 9421 with Ed25519. What may be asked again is asked again, the same body under a new
signature, after the time in Retry-After: that is safe, because every transfer, order and file has an id of yours.
"""

import base64
import hashlib
import hmac
import json
import random
import secrets
import time
from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPMessage, HTTPSConnection
from typing import Any, Final
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

TRIES_LIMIT: Final = 10
TIMEOUT_S: Final = 60.0
FIRST_PAUSE_S: Final = 0.5
PAUSE_LIMIT_S: Final = 30.0
AGAIN: Final = frozenset({408, 429, 500, 502, 503, 504})
"""Too slow, too many, a fault on the way or at the hub, not now."""
UNDER_WAY: Final = 409
"""With Retry-After; without it, it is an answer."""
FIRST_ERROR: Final = 400
WEBHOOK_AGE_LIMIT_S: Final = 300


class ProblemError(Exception):
    """The hub's answer is a problem (RFC 9457) that asking again does not mend: `problem` says what to do."""

    def __init__(self, status: int, problem: dict[str, Any]) -> None:
        super().__init__(f"{status} {problem.get('title')}: {problem.get('detail')} {problem.get('errors') or ''}")
        self.status = status
        self.problem = problem


class NoAnswerError(Exception):
    """There was no answer in all tries: whether it was done is unknown. Ask for the same again later."""


class Hub:
    """The hub as you see it: `url` without a path, your key's id, and your private key in PEM (PKCS #8)."""

    def __init__(self, url: str, key_id: str, private_key: bytes) -> None:
        key = load_pem_private_key(private_key, password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError("an Ed25519 private key is needed")
        self._url = url.rstrip("/")
        self._key_id = key_id
        self._key = key

    def get(self, path: str) -> Any:  # noqa: ANN401 - whatever is answered
        """The JSON that a GET answers. Raises ProblemError, NoAnswerError."""
        return self.ask("GET", path)

    def post(self, path: str, content: object = None) -> Any:  # noqa: ANN401 - the same
        """The JSON that a POST of JSON, or of no body, answers. Raises ProblemError, NoAnswerError."""
        if content is None:
            return self.ask("POST", path)
        return self.ask("POST", path, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def put(self, path: str, content: object) -> Any:  # noqa: ANN401 - the same
        """The JSON that a PUT of JSON answers. Raises ProblemError, NoAnswerError."""
        return self.ask("PUT", path, json.dumps(content).encode(), {"Content-Type": "application/json"})

    def ask(self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - the same
        """Ask until there is an answer, None where it has no body. Raises ProblemError, NoAnswerError."""
        pause_s, why = FIRST_PAUSE_S, ""
        for _ in range(TRIES_LIMIT):
            wait_s = pause_s * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, keeps no secret
            try:
                status, told, content = self._send(method, path, body, dict(headers or {}))
            except (HTTPException, OSError) as error:
                why = f"{type(error).__name__}: {error}"
            else:
                if status < FIRST_ERROR:
                    return json.loads(content) if content else None
                asked = told.get("Retry-After")
                if status not in AGAIN and not (status == UNDER_WAY and asked):
                    raise ProblemError(status, _problem(content))
                why, wait_s = f"status {status}", float(asked or 0) + wait_s
            time.sleep(wait_s)
            pause_s = min(2 * pause_s, PAUSE_LIMIT_S)
        raise NoAnswerError(f"{method} {path}: {why}")

    def _send(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, HTTPMessage, bytes]:
        parts = urlsplit(self._url)
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.netloc, timeout=TIMEOUT_S)
        try:
            connection.request(method, path, body, self._signed(method, path, body, headers))
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def _signed(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> dict[str, str]:
        """The headers with a signature made now, over all that must be covered, with a nonce of its own."""
        parts = urlsplit(self._url.lower())
        authority = parts.netloc.removesuffix({"http": ":80", "https": ":443"}[parts.scheme])
        covered = {"@method": method, "@authority": authority}
        covered["@target-uri"] = f"{parts.scheme}://{authority}{path}"
        if body is not None:
            digest = base64.b64encode(hashlib.sha256(body).digest()).decode()
            headers["Content-Digest"] = covered["content-digest"] = f"sha-256=:{digest}:"
        if "Idempotency-Key" in headers:
            covered["idempotency-key"] = headers["Idempotency-Key"]
        names = " ".join(f'"{name}"' for name in covered)
        parameters = (
            f'({names});created={int(time.time())};keyid="{self._key_id}";alg="ed25519"'
            f';nonce="{secrets.token_urlsafe(24)}"'
        )
        base = "".join(f'"{name}": {value}\n' for name, value in covered.items())
        signature = self._key.sign(f'{base}"@signature-params": {parameters}'.encode())
        headers["Signature-Input"] = f"sig={parameters}"
        headers["Signature"] = f"sig=:{base64.b64encode(signature).decode()}:"
        return headers


def verified_webhook(headers: Mapping[str, str], body: bytes, secret: str) -> dict[str, Any]:
    """What a webhook of the hub says (Standard Webhooks, `v1`). Raises ValueError: answer 400, and do nothing.

    The same event may come more than once: its id is the header `webhook-id`.
    """
    told = {name.lower(): value for name, value in headers.items()}
    event_id, at = told.get("webhook-id", ""), told.get("webhook-timestamp", "")
    if not at.isascii() or not at.isdigit() or abs(time.time() - int(at)) > WEBHOOK_AGE_LIMIT_S:
        raise ValueError("no time of now")
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.digest(key, f"{event_id}.{at}.".encode() + body, "sha256")).decode()
    given = told.get("webhook-signature", "").split(" ")
    if not any(hmac.compare_digest(f"v1,{expected}".encode(), one.encode()) for one in given):
        raise ValueError("not signed with our secret")
    event: dict[str, Any] = json.loads(body)
    return event


def _problem(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"detail": content[:200].decode(errors="replace")}
