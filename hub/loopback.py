"""Whether an address is on this very machine: a demo and its peers may do without TLS there, and nobody else."""

from ipaddress import ip_address
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """`localhost`, 127.0.0.0/8 or ::1."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def is_plain_loopback(url: str) -> bool:
    """Whether it is plain HTTP to this very machine. Raises ValueError: it is no address."""
    parts = urlsplit(url)
    return parts.scheme == "http" and is_loopback(parts.hostname or "")
