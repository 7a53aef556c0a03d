"""Which address gets which cookies, and which pages count as ours."""

import pytest
from aiohttp.test_utils import make_mocked_request

from connectors.portal.ground.cookies import Cookie, Cookies
from connectors.portal.ground.csrf import Csrf, origin_of
from hub.keys import Keys

KEYS = Keys(b"only for tests: 32 bytes of a key")


@pytest.mark.parametrize(
    "url",
    [
        "https://hub.example",
        "https://127.0.0.1:8443",
        "http://hub.example",
        "http://10.0.0.1:8080",
        "http://0.0.0.0:80",
    ],
)
def test_everything_but_this_machine_by_plain_http_gets_host_cookies(url: str) -> None:
    assert Cookies(url).name(Cookie.session) == "__Host-mykey-session"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8080", "http://localhost:8080", "http://[::1]:8080", "http://127.9.9.9"]
)
def test_a_demo_on_this_machine_has_plain_ones(url: str) -> None:
    assert Cookies(url).name(Cookie.session) == "mykey-session"


@pytest.mark.parametrize(
    "url, origin",
    [
        ("https://hub.example", "https://hub.example"),
        ("https://hub.example:443/x", "https://hub.example"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://[::1]:8080", "http://[::1]:8080"),
    ],
)
def test_origins(url: str, origin: str) -> None:
    assert origin_of(url) == origin


@pytest.mark.parametrize(
    "own, headers, is_ours",
    [
        ("https://hub.example", {"Origin": "https://hub.example"}, True),
        ("https://hub.example", {"Sec-Fetch-Site": "same-origin"}, True),
        ("https://hub.example", {"Origin": "https://hub.example.evil.example"}, False),
        ("https://hub.example", {"Origin": "http://hub.example"}, False),
        ("https://hub.example", {"Origin": "http://127.0.0.1"}, False),
        ("http://127.0.0.1:8080", {"Origin": "http://localhost:8080"}, True),
        ("http://127.0.0.1:8080", {"Origin": "http://localhost:8081"}, False),
        ("http://127.0.0.1:8080", {"Origin": "http://[::1"}, False),
        ("http://127.0.0.1:8080", {"Origin": "http://evil.example:8080"}, False),
    ],
)
def test_where_a_form_comes_from(own: str, headers: dict[str, str], is_ours: bool) -> None:  # noqa: FBT001
    csrf = Csrf(KEYS.hasher("portal.csrf"), own)
    assert csrf.is_from_us(make_mocked_request("POST", "/", headers=headers)) is is_ours


def test_a_token_is_good_for_its_binding_only() -> None:
    csrf = Csrf(KEYS.hasher("portal.csrf"), "https://hub.example")
    token = csrf.token("visit|citizen")
    assert csrf.is_token(token, "visit|citizen")
    assert token != csrf.token("visit|citizen")
    for other in ("visit", "visit|another", ""):
        assert not csrf.is_token(token, other)
    for wrong in ("", token[:-1], token + "A", "é" * 65, token.swapcase()):
        assert not csrf.is_token(wrong, "visit|citizen")
