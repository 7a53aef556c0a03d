"""What a provider keeps: its client, its members, requests, codes and tokens."""

import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from joserfc.jwk import ECKey

CODE_GOOD_FOR_S = 60


@dataclass(frozen=True)
class Client:
    """Who may ask: `jwks_uri` is where its public keys are."""

    client_id: str
    redirect_uri: str
    jwks_uri: str


@dataclass(frozen=True)
class Member:
    """Somebody with an account."""

    login: str
    password: str
    subject: str
    claims: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Code:
    """An authorization code, good once."""

    asked: dict[str, str]
    member: Member
    ends_at: float
    used: bool = False


@dataclass
class Kept:
    """All of it; for tests of clients `twist` spoils the claims of ID tokens, `refuses` is a path that takes nobody."""

    issuer: str
    client: Client
    members: list[Member]
    title: str = "会員ログイン"
    tells_members: bool = False
    keys: list[ECKey] = field(default_factory=lambda: [new_key()])
    requests: dict[str, dict[str, str]] = field(default_factory=dict)
    codes: dict[str, Code] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    assertions: set[str] = field(default_factory=set)
    twist: dict[str, Any] = field(default_factory=dict)
    refuses: str = ""

    def rotate(self) -> None:
        """Sign with another key from now on, and publish that one only."""
        self.keys = [new_key()]

    def code_for(self, asked: dict[str, str], member: Member) -> str:
        """A new code."""
        code = secrets.token_urlsafe(24)
        self.codes[code] = Code(asked, member, time.time() + CODE_GOOD_FOR_S)
        return code


def new_key() -> ECKey:
    """A signing key."""
    return ECKey.generate_key("P-256", {"kid": secrets.token_hex(8), "use": "sig", "alg": "ES256"})
