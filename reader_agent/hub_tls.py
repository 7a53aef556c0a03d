"""How the hub's certificate is checked: by the system's authorities, or by those of `hub_ca_file`."""

import ssl

from reader_agent.settings import Settings


class HubAuthorityError(Exception):
    """`hub_ca_file` of `agent.toml` is missing, cannot be read, or holds no certificate in PEM."""


def hub_tls(settings: Settings) -> ssl.SSLContext:
    """For every connection to the hub. Raises HubAuthorityError."""
    try:
        return ssl.create_default_context(cafile=settings.hub_ca_file)
    except OSError as error:
        # An SSLError is one too.
        raise HubAuthorityError(str(settings.hub_ca_file)) from error
