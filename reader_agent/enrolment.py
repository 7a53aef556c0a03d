"""This machine takes its terminal's place: keys made here, the form sent to the hub, the hub's key pinned."""

import secrets
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientError, ClientSession, ClientTimeout, StreamReader
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from pydantic import BaseModel, ConfigDict, ValidationError

from reader_agent.enrolment_fields import FIELDS, meant
from reader_agent.fingerprint import Fingerprint, fingerprint_of, machine_values
from reader_agent.hub_tls import hub_tls
from reader_agent.private_files import read_private, write_private
from reader_agent.settings import Settings
from schemas.terminals import EnrolmentAnswer, EnrolmentForm, TerminalContact

PATH: Final = "/api/terminal/enrolments"
AGENT_KEY_FILE: Final = "agent.key"
VALUES_KEY_FILE: Final = "values.key"
TERMINAL_FILE: Final = "terminal.json"
VALUES_KEY_BYTES: Final = 32
ANSWER_TIMEOUT_S: Final = 30.0
ANSWER_LIMIT_BYTES: Final = 64 * 1024
_CREATED: Final = 201
_BAD_FORM_JA: Final = "入力内容を確認してください。"


class EnrolmentRefusedError(Exception):
    """The hub did not take the form; the text tells a person why, in Japanese.

    `text` is about the whole, `fields` has a sentence for each field that is to be mended.
    """

    def __init__(self, text: str, fields: Mapping[str, str] | None = None) -> None:
        self.text = text
        self.fields = dict(fields or {})
        super().__init__("\n".join([text, *self.fields.values()]))


class HubUnreachableError(Exception):
    """The hub did not answer, or something else did: nothing is known of what became of it; the same again is safe."""


class EnrolledAs(BaseModel):
    """What `terminal.json` keeps: which terminal this is, and which hub it belongs to."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    hub_url: str
    terminal: EnrolmentAnswer


@dataclass(frozen=True, slots=True)
class Identity:
    """The keys of this machine's terminal, made when they are first wanted; the folder is the agent's own."""

    folder: Path

    def agent_key(self) -> Ed25519PrivateKey:
        """What signs for this terminal. Raises OpenToOthersError, OSError."""
        kept = read_private(self.folder / AGENT_KEY_FILE)
        if kept is None:
            made = Ed25519PrivateKey.generate()
            pem = made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            write_private(self.folder / AGENT_KEY_FILE, pem)
            return made
        key = load_pem_private_key(kept, password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError(AGENT_KEY_FILE)
        return key

    def fingerprint(self) -> Fingerprint:
        """Of this machine, now. Raises FingerprintError, OpenToOthersError, OSError."""
        key = read_private(self.folder / VALUES_KEY_FILE)
        if key is None:
            key = secrets.token_bytes(VALUES_KEY_BYTES)
            write_private(self.folder / VALUES_KEY_FILE, key)
        return fingerprint_of(machine_values(), key)

    def enrolled(self, settings: Settings) -> EnrolledAs | None:
        """Which terminal this is; None where it is none yet, or another hub's. Raises OpenToOthersError, OSError."""
        kept = read_private(self.folder / TERMINAL_FILE)
        try:
            found = None if kept is None else EnrolledAs.model_validate_json(kept)
        except ValidationError:
            return None
        return found if found is not None and found.hub_url == settings.hub_url else None


async def enrol(settings: Settings, identity: Identity, typed: Mapping[str, str]) -> EnrolledAs:
    """Send the form (画面6–10, 22) and keep what the hub answers.

    Args:
        settings: where the hub is.
        identity: the keys of this machine.
        typed: terminal_id, one_time_password, issuer_id (empty for none), and the fields of the contact.

    Raises:
        EnrolmentRefusedError, HubUnreachableError, FingerprintError, HubAuthorityError, OpenToOthersError, OSError.
    """
    form = _form(identity, typed)
    enrolled = EnrolledAs(hub_url=settings.hub_url, terminal=await _sent(settings, form))
    write_private(identity.folder / TERMINAL_FILE, enrolled.model_dump_json().encode())
    return enrolled


def _form(identity: Identity, typed: Mapping[str, str]) -> EnrolmentForm:
    public_key = identity.agent_key().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    fingerprint = identity.fingerprint()
    taken = meant(typed)
    try:
        return EnrolmentForm.model_validate(
            {
                "terminal_id": taken["terminal_id"],
                "one_time_password": taken["one_time_password"],
                "public_key": public_key.hex(),
                "contact": {name: taken[name] for name in TerminalContact.model_fields},
                "issuer_id": taken["issuer_id"] or None,
                "fingerprint": fingerprint.digest.hex(),
                "value_digests": {name: digest.hex() for name, digest in fingerprint.value_digests.items()},
                "recipe": fingerprint.recipe,
            }
        )
    except ValidationError as error:
        # The error itself holds what was typed: it goes no further.
        wrong = {str(one["loc"][-1]) for one in error.errors()}
        raise EnrolmentRefusedError(_BAD_FORM_JA, _faults(wrong, typed)) from None


def _faults(wrong: AbstractSet[str], typed: Mapping[str, str]) -> dict[str, str]:
    return {name: field.fault(typed.get(name, "")) for name, field in FIELDS.items() if name in wrong}


async def _sent(settings: Settings, form: EnrolmentForm) -> EnrolmentAnswer:
    tls = hub_tls(settings)
    timeout = ClientTimeout(ANSWER_TIMEOUT_S)
    body = form.model_dump_json().encode()
    headers = {"Content-Type": "application/json"}
    try:
        async with (
            ClientSession(timeout=timeout, trust_env=False) as client,
            client.post(
                settings.hub_url + PATH, data=body, headers=headers, ssl=tls, allow_redirects=False
            ) as response,
        ):
            answer = await _whole(response.content)
            if response.status == _CREATED:
                return EnrolmentAnswer.model_validate_json(answer)
            raise _refused(answer)
    except (ClientError, TimeoutError, ValidationError) as error:
        raise HubUnreachableError(type(error).__name__) from None


async def _whole(content: StreamReader) -> bytes:
    """At most ANSWER_LIMIT_BYTES; a longer answer is none of the hub's, and cannot be read."""
    chunks = bytearray()
    async for chunk in content.iter_chunked(ANSWER_LIMIT_BYTES):
        chunks += chunk
        if len(chunks) > ANSWER_LIMIT_BYTES:
            break
    return bytes(chunks[:ANSWER_LIMIT_BYTES])


class _Problem(BaseModel):
    """What we show of a problem (RFC 9457)."""

    detail_ja: str
    errors: list[dict[str, Any]] = []


def _refused(answer: bytes) -> EnrolmentRefusedError:
    problem = _Problem.model_validate_json(answer)
    fields = {str(one.get("pointer", "")).rpartition("/")[2]: str(one.get("detail_ja", "")) for one in problem.errors}
    return EnrolmentRefusedError(problem.detail_ja, fields)
