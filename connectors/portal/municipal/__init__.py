"""The municipal office's pages. So far the places that its mails lead to, which say how a decision is registered.

May import: `hub`, `schemas`, `connectors.portal.ground`.

To add a page: see `connectors.portal`. The office's console, once there is one, takes over the addresses of `mailed`.
"""
