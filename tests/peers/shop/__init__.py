"""A shop's or fund's program, which uses nothing but the interface of docs/checkout.md: cart, way back, refunds.

`site` is the shop, `client` how it asks the hub. `tests.peers.market` runs it.
"""
