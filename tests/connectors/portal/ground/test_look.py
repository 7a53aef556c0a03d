"""The look's files: found by their plain names, served for ever, and not needed to see a page."""

import gzip
import json
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from connectors.portal.ground.look import Look
from connectors.portal.ground.serving import look_routes
from hub.web.app import make_app

STYLE = b"body { color: black } " * 40


@pytest.fixture
def built(tmp_path: Path) -> Path:
    (tmp_path / "portal.0a1b2c.css").write_bytes(STYLE)
    (tmp_path / "icon.3d4e5f.png").write_bytes(b"\x89PNG")
    (tmp_path / "stray.css").write_bytes(b"not in the list")
    names = {"portal.css": "portal.0a1b2c.css", "icon.png": "icon.3d4e5f.png"}
    (tmp_path / "names.json").write_text(json.dumps(names), "utf-8")
    return tmp_path


def test_a_plain_name_leads_to_the_built_file(built: Path) -> None:
    look = Look(built)
    assert look.url("portal.css") == "/assets/portal.0a1b2c.css"
    asset = look.asset("portal.0a1b2c.css")
    assert asset is not None
    assert (asset.content, asset.content_type) == (STYLE, "text/css")
    assert look.asset("stray.css") is None


def test_without_a_build_the_pages_come_without_it(tmp_path: Path) -> None:
    look = Look(tmp_path / "nowhere")
    assert look.url("portal.css") == "/assets/portal.css"
    assert look.asset("portal.css") is None


@pytest.mark.loopback
async def test_files_are_kept_for_a_year_and_texts_are_compressed(built: Path) -> None:
    app: web.Application = make_app(look_routes(Look(built)))
    async with TestClient(TestServer(app), auto_decompress=False) as client:
        answer = await client.get("/assets/portal.0a1b2c.css", headers={"Accept-Encoding": "gzip"})
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(await answer.read()) == STYLE
        plain = await client.get("/assets/portal.0a1b2c.css", headers={"Accept-Encoding": "identity"})
        assert await plain.read() == STYLE
        assert "Content-Encoding" not in plain.headers
        assert (await client.get("/assets/icon.3d4e5f.png")).headers["Content-Type"] == "image/png"
        for missing in ("stray.css", "names.json", "portal.css", "..%2fnames.json"):
            assert (await client.get(f"/assets/{missing}")).status == 404
