"""A shop's or fund's program, which uses nothing but the interface of docs/checkout.md: cart, way back, refunds."""
