"""Several companies in one process, quick to start: partners, a shop, a fund, each with a key of its own.

`python -m tests.peers.market` reads what companies there are, and answers with their addresses. `company` is what they
all have: members who log in, staff who ask the hub, an ear for webhooks. Uses nothing but docs/partners.md and
docs/checkout.md, and imports none of our code.
"""
