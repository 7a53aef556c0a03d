"""What every answer to a browser carries beside the hub's own headers (OWASP ASVS 5.0, 3.3 and 3.4)."""

from collections.abc import Mapping
from typing import Final

REFERRER_POLICY: Final = "same-origin"
"""Not `no-referrer`: a browser then sends `Origin: null` with every form, which the CSRF check refuses."""
_FIXED: Final[Mapping[str, str]] = {
    "Referrer-Policy": REFERRER_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Frame-Options": "DENY",
}
CLEARED: Final = '"cache", "storage"'
"""Clear-Site-Data at log-out. Cookies are dropped one by one: the one by which a browser is known stays."""


def policy(nonce: str) -> str:
    """The Content-Security-Policy of a page whose scripts carry `nonce`; nothing comes from elsewhere."""
    return (
        f"default-src 'none'; style-src 'self' 'nonce-{nonce}'; script-src 'nonce-{nonce}'; img-src 'self' data:; "
        "font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'; object-src 'none'"
    )


def page_headers(nonce: str) -> dict[str, str]:
    """Of a page; `no-store` and what all answers have is the hub's (hub.web.answers)."""
    return {**_FIXED, "Content-Security-Policy": policy(nonce)}
