"""Webhooks out, by Standard Webhooks: partners, shops and funds are told what has happened until they have taken it.

`events` what is told, and why no more · `telling` which messages become events · `endpoints` a party's endpoint and the
events kept for it · `signing` secrets and signatures · `sending` one request out · `door` the HTTP routes by which a
party sets all this up · `replaying` what operators look at and have told again · `parts` all of it put together.

May import `hub`, `schemas`, the outbound client and the audience beside this package. To add an event: a class in
`events`, a handler in `telling`, its line in docs/partners.md or docs/checkout.md, `make contracts`.
"""
