"""What is signed (RFC 9421 section 2): the signature base, and the two headers that state how it was done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlsplit

import http_sf

COMPONENTS_LIMIT: Final = 32
PARAMETERS: Final = frozenset({"created", "expires", "keyid", "nonce", "alg", "tag"})
_DEFAULT_PORTS: Final[Mapping[str, str]] = {"http": ":80", "https": ":443"}

Parameter: TypeAlias = int | str


class SignatureRuleError(Exception):
    """The rule of the signature that does not hold, and a sentence for an honest developer."""

    def __init__(self, rule: str, sentence: str) -> None:
        super().__init__(sentence)
        self.rule = rule


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """The parts of a request that can be signed.

    `target` is path and query as they went over the wire; `fields` are all values of each header, by its
    name in lower case; `origin` is scheme and authority.
    """

    method: str
    target: str
    origin: str
    fields: Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Stated:
    """One signature as its headers state it."""

    label: str
    components: tuple[str, ...]
    parameters: Mapping[str, Parameter]
    signature: bytes

    def parameters_text(self) -> str:
        """The value of `@signature-params`: the covered components and the parameters, serialized."""
        inner: http_sf.InnerListType = ([(name, {}) for name in self.components], dict(self.parameters))
        return http_sf.ser([inner])


def parse_stated(fields: Mapping[str, Sequence[str]]) -> Stated:
    """The one signature that Signature-Input and Signature state. Raises SignatureRuleError."""
    ((label, (listed, parameters)),) = _dictionary(fields, "signature-input").items()
    ((signature_label, (signature, _)),) = _dictionary(fields, "signature").items()
    if label != signature_label:
        raise SignatureRuleError("signature", "Signature-Input and Signature must have the same label.")
    if not isinstance(listed, list) or len(listed) > COMPONENTS_LIMIT:
        raise SignatureRuleError("signature-input", f"A list of at most {COMPONENTS_LIMIT} components is needed.")
    if not isinstance(signature, bytes):
        raise SignatureRuleError("signature", "The signature must be a byte sequence (:base64:).")
    components = tuple(_component(item) for item in listed)
    if len(set(components)) != len(components):
        raise SignatureRuleError("signature-input", "A component stands twice.")
    return Stated(label, components, _parameters(parameters), signature)


def signature_base(stated: Stated, request: SignedRequest) -> bytes:
    """The bytes that are signed. Raises SignatureRuleError for a component that the request has not."""
    lines = [f'"{name}": {_value(name, request)}' for name in stated.components]
    lines.append(f'"@signature-params": {stated.parameters_text()}')
    try:
        return "\n".join(lines).encode("ascii")
    except UnicodeEncodeError as error:
        raise SignatureRuleError("signature-input", "Signed components must be ASCII.") from error


def _dictionary(fields: Mapping[str, Sequence[str]], name: str) -> dict[str, tuple[object, Mapping[str, object]]]:
    """A header as a dictionary of exactly one member.

    Several signatures would leave it open which one counts.
    """
    if name not in fields:
        raise SignatureRuleError(name, f"The header {name} is missing.")
    try:
        parsed = http_sf.parse(", ".join(fields[name]).encode("ascii"), tltype="dictionary", on_duplicate_key=_refuse)
    except ValueError as error:
        raise SignatureRuleError(name, f"The header {name} is not well-formed (RFC 8941).") from error
    if not isinstance(parsed, dict) or len(parsed) != 1:
        raise SignatureRuleError(name, f"The header {name} must have exactly one signature.")
    ((label, member),) = parsed.items()
    if not isinstance(member, tuple):
        raise SignatureRuleError(name, f"The header {name} is not well-formed (RFC 8941).")
    return {label: (member[0], member[1])}


def _refuse(key: str, _where: str) -> None:
    raise ValueError(key)


def _component(item: object) -> str:
    name, parameters = item if isinstance(item, tuple) else (item, {})
    if not isinstance(name, str) or parameters or name != name.lower():
        raise SignatureRuleError("signature-input", "Components are names in lower case, without parameters.")
    return name


def _parameters(stated: Mapping[str, object]) -> dict[str, Parameter]:
    found: dict[str, Parameter] = {}
    for name, value in stated.items():
        if name not in PARAMETERS or isinstance(value, bool) or not isinstance(value, int | str):
            raise SignatureRuleError("signature-input", "Only created, expires, keyid, nonce, alg and tag are taken.")
        found[name] = value
    return found


def _value(name: str, request: SignedRequest) -> str:
    path, mark, query = request.target.partition("?")
    scheme = urlsplit(request.origin).scheme
    derived = {
        "@method": request.method,
        "@authority": _authority(request.origin),
        "@scheme": scheme,
        "@target-uri": f"{scheme}://{_authority(request.origin)}{request.target}",
        "@request-target": request.target,
        "@path": path,
        "@query": f"?{query}" if mark else "?",
    }
    if name in derived:
        return derived[name]
    if name.startswith("@") or name not in request.fields:
        raise SignatureRuleError(name, f'The covered component "{name}" is not in the request.')
    return ", ".join(value.strip(" \t") for value in request.fields[name])


def _authority(origin: str) -> str:
    """Host in lower case, without the scheme's default port (RFC 9421 section 2.2.3)."""
    parts = urlsplit(origin.lower())
    return parts.netloc.removesuffix(_DEFAULT_PORTS.get(parts.scheme, ""))
