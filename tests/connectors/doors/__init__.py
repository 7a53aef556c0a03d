"""All HTTP APIs of the outside at once: what holds at every route is tried at every route of the table.

`world` one process with all of them, and two callers for each · `examples` a right body for each route that takes one,
and an object of the first caller's for each route about one · `test_every_route` what is refused everywhere ·
`test_signed_doors` RFC 9421 at each door whose callers sign · `test_documented` schemathesis against the document.

May import: what all tests may. A new route fails here until it has its line in `examples`.
"""
