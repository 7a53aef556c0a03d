"""One file per operation of the ledger, each a pure function `decide(command, book) -> Decision`.

May import `workers.ledger.book`, `workers.ledger.accounts` and `schemas`: no SQL, no clock, no I/O, so that the
property tests can hold every rule against a naive model. To add one: a file here and a line in
`workers.ledger.operations`.
"""
