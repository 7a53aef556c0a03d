"""Webhooks out, by Standard Webhooks: partners are told what has happened, signed, until they have taken it.

`signing` secrets and signatures · `endpoints` a partner's endpoint and the events kept for it · `telling` which
messages become events · `sending` one request out · `door` the HTTP routes by which a partner sets all this up.

May import `hub`, `schemas`, the outbound client and the audience beside this package. To add an event: a name in
`endpoints.EventType`, a handler in `telling`, its line in docs/partners.md.
"""
