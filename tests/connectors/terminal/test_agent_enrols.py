"""The real agent enrols at the real door: keys of its own, the hub's key pinned, refusals told in Japanese."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from hub.web.app import make_app
from hub.web.server import Door
from reader_agent.enrolment import (
    AGENT_KEY_FILE,
    TERMINAL_FILE,
    VALUES_KEY_FILE,
    EnrolledAs,
    EnrolmentRefusedError,
    HubUnreachableError,
    Identity,
    enrol,
)
from reader_agent.private_files import OpenToOthersError
from reader_agent.settings import Settings
from schemas.terminals import AgentKeyOf, TerminalsOf, shown_password
from tests.connectors.terminal.enrolling import CONTACT, DEADLINE_S, Office


def typed(hub: Office, number: int = 0, **changes: str) -> dict[str, str]:
    """As a person types it off the paper."""
    terminal, password = hub.handed_out[number]
    return {
        **CONTACT,
        "terminal_id": f" {terminal.terminal_id.lower()} ",
        "one_time_password": shown_password(password).lower(),
        "issuer_id": terminal.issuer_id or "",
        **changes,
    }


async def test_from_the_paper_to_the_hubs_key(hub: Office, tmp_path: Path) -> None:
    settings, identity = Settings(hub_url=hub.url), Identity(tmp_path / "agent")
    enrolled = await enrol(settings, identity, typed(hub))
    assert identity.enrolled(settings) == enrolled
    load_pem_public_key(enrolled.terminal.hub_key.encode())
    found = await hub.process.bus.call(AgentKeyOf(terminal_id=enrolled.terminal.terminal_id), DEADLINE_S)
    assert found.public_key == identity.agent_key().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    assert found.fingerprint == identity.fingerprint().digest
    assert found.value_digests == identity.fingerprint().value_digests
    for name in (AGENT_KEY_FILE, VALUES_KEY_FILE, TERMINAL_FILE):
        assert stat.S_IMODE((identity.folder / name).stat().st_mode) == 0o600
    assert stat.S_IMODE(identity.folder.stat().st_mode) == 0o700
    assert identity.enrolled(Settings(hub_url="https://other.example")) is None


async def test_an_answer_that_was_lost_is_asked_for_again(hub: Office, tmp_path: Path) -> None:
    settings, identity = Settings(hub_url=hub.url), Identity(tmp_path)
    first = await enrol(settings, identity, typed(hub))
    (tmp_path / TERMINAL_FILE).unlink()
    assert await enrol(settings, Identity(tmp_path), typed(hub)) == first
    with pytest.raises(EnrolmentRefusedError, match="ワンタイムパスワード"):
        await enrol(settings, Identity(tmp_path / "other"), typed(hub))


async def test_refusals_say_what_to_mend(hub: Office, tmp_path: Path) -> None:
    settings, identity = Settings(hub_url=hub.url), Identity(tmp_path)
    with pytest.raises(EnrolmentRefusedError) as refused:
        await enrol(settings, identity, typed(hub, issuer_id="999999"))
    assert set(refused.value.fields) == {"issuer_id"}
    assert "ID付与事業者" in str(refused.value)
    with pytest.raises(EnrolmentRefusedError) as refused:
        await enrol(settings, identity, typed(hub, phone="x", one_time_password="secret-marker"))
    assert list(refused.value.fields) == ["one_time_password", "phone"]
    assert refused.value.fields["phone"] == "電話番号は市外局番から数字で入力してください（例：03-0000-0000）。"
    assert "marker" not in str(refused.value)
    assert identity.enrolled(settings) is None


async def test_it_does_not_matter_how_wide_anything_is_typed(hub: Office, tmp_path: Path) -> None:
    as_printed = typed(hub)
    wide = {name: "".join(_wide(sign) for sign in text) for name, text in as_printed.items()}
    settings, identity = Settings(hub_url=hub.url), Identity(tmp_path)
    enrolled = await enrol(settings, identity, wide | {"phone": "０３（００００）００００"})
    assert enrolled.terminal.terminal_id == as_printed["terminal_id"].strip().upper()
    (kept,) = (await hub.process.bus.call(TerminalsOf(lg_code=enrolled.terminal.lg_code), DEADLINE_S)).terminals[:1]
    assert kept.contact is not None
    assert (kept.contact.phone, kept.contact.mail) == ("03-0000-0000", CONTACT["mail"])


def _wide(sign: str) -> str:
    return chr(ord(sign) + 0xFEE0) if "!" <= sign <= "~" else sign


async def test_what_is_no_hub_is_said_to_be_out_of_reach(hub: Office, tmp_path: Path) -> None:
    async with Door(make_app([]), "127.0.0.1", 0) as door:
        for url in (f"http://127.0.0.1:{door.port}", "http://127.0.0.1:9"):
            with pytest.raises((HubUnreachableError, EnrolmentRefusedError)):
                await enrol(Settings(hub_url=url), Identity(tmp_path), typed(hub))
    assert not (tmp_path / TERMINAL_FILE).exists()


async def test_a_key_that_others_can_read_is_used_no_more(tmp_path: Path) -> None:
    identity = Identity(tmp_path)
    identity.agent_key()
    (tmp_path / AGENT_KEY_FILE).chmod(0o640)
    with pytest.raises(OpenToOthersError):
        identity.agent_key()


async def test_what_this_terminal_is_may_be_unreadable(tmp_path: Path) -> None:
    (tmp_path / TERMINAL_FILE).write_text("{}")
    (tmp_path / TERMINAL_FILE).chmod(0o600)
    assert Identity(tmp_path).enrolled(Settings(hub_url="https://hub.example")) is None
    assert EnrolledAs.model_fields.keys() == {"hub_url", "terminal"}
