"""Transports: they only tell a component what is due; state and retry live in PostgreSQL (`hub.delivery`).

`port` is what a transport is to the hub; `postgres` and `rabbitmq` are the two there are. Whatever the transport:
`receiver` works on what is due, `outside` does what happens outside a transaction, `lanes` shares the work among
processes, `jobs` is what a component does by itself, `remote_calls` what is asked of other processes and answered.
May import hub's other files. To add a transport: a module here that passes the conformance suite, tests/hub/transports.
"""
