"""The ledger: every point, double entry, append-only; balances are decided only here.

`decide/` holds one pure function per operation, `book` what it looks at, `writer` the one transaction that a batch
becomes, `store` its SQL, `chain` the tamper evidence, `settlement` the rollups, `audit` the proof that it all adds up.
May import `hub` and `schemas`, nothing of other workers or connectors. To add an operation: a command in
`schemas.points`, a file in `decide/`, a line in `operations`, a route.
"""
