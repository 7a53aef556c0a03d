"""`mykey-hub libraries`: a library system is registered by a file, asked as it says, and tells no secret."""

import io
from pathlib import Path

import pytest
from pydantic import SecretStr
from rich.console import Console

from connectors.library import commands
from hub.asking import RefusedError, carry_out
from hub.process import HubProcess
from hub.settings import Settings
from schemas.libraries import PatronKnown
from schemas.service_ids import Issuer, IssuerKind, LibraryWord, RegisterIssuer
from tests.connectors.library.systems import HOST, ISSUER, KNOWN, LOGIN, PASSWORD, simulator
from tests.running import SECRET_KEY, running
from tests.workers.registry.asking import ask
from tests.workers.registry.conftest import BASE

SITE = """issuer_id = "{issuer}"
host = "{host}"
port = {port}
institution = "LIB130001"
login = "{login}"
password = "{password}"
"""


@pytest.fixture
def settings(database_url: str) -> Settings:
    return Settings(database_url=database_url, secret_key=SecretStr(SECRET_KEY))


async def run(settings: Settings, *words: str) -> str:
    """What a command shows."""
    console = Console(record=True, width=240, file=io.StringIO())
    await carry_out(commands._parser().parse_args(words), settings, console, commands.ASKER)
    return console.export_text()


async def issues(process: HubProcess, issuer_id: str, kind: IssuerKind = IssuerKind.library, **more: object) -> None:
    told = {"issuer_id": issuer_id, "name": "図書館", "kind": kind, "lg_code": BASE, "pattern": "[0-9]{12}"}
    command = RegisterIssuer(issuer=Issuer.model_validate(told | more))
    assert (await ask(process, command)).code is None


async def test_a_library_that_is_registered_is_asked(database_url: str, settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    with simulator(login=f"{LOGIN}={PASSWORD}") as port:
        told = {"issuer": ISSUER, "host": HOST, "port": port, "login": LOGIN}
        async with running(database_url, "registry", "library") as process:
            await issues(process, ISSUER, sip2=True)
            file.write_text(SITE.format(**told, password="wrong"), encoding="utf-8")
            await run(settings, "register", str(file))
            file.write_text(SITE.format(**told, password=PASSWORD), encoding="utf-8")
            shown = [await run(settings, "register", str(file)) for _ in range(2)]
            assert shown[0] == shown[1]
            assert "warning" not in shown[0]
            listed = await run(settings, "list")
            assert [word for word in (ISSUER, HOST, str(port), "utf-8", "LIB130001") if word not in listed] == []
            assert [word for word in (LOGIN, PASSWORD) if word in listed + shown[0]] == []
            assert (await ask(process, PatronKnown(issuer_id=ISSUER, number=KNOWN))).word is LibraryWord.known


async def test_a_site_is_of_a_library_that_is_an_issuer(database_url: str, settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "site.toml"
    told = {"host": HOST, "port": 6001, "login": LOGIN, "password": PASSWORD}
    async with running(database_url, "registry", "library") as process:
        await issues(process, "000777", IssuerKind.street)
        await issues(process, ISSUER)
        for issuer_id, why in (("000999", "no such issuer"), ("000777", "street")):
            file.write_text(SITE.format(**told, issuer=issuer_id), encoding="utf-8")
            with pytest.raises(RefusedError, match=why):
                await run(settings, "register", str(file))
        file.write_text(SITE.format(**told, issuer=ISSUER), encoding="utf-8")
        assert "sip2 = true" in await run(settings, "register", str(file)), "else nobody asks it"
        file.write_text(SITE.format(**told, issuer=ISSUER).replace(PASSWORD, "合言葉|"), encoding="utf-8")
        with pytest.raises(RefusedError) as caught:
            await run(settings, "register", str(file))
        assert "合言葉" not in str(caught.value)
