"""Transports: they only tell a component what is due; state and retry live in PostgreSQL (`hub.delivery`).

The port is `Receiver` (start, wake, poll_soon, stop, and `handle` for what is fetched). `lanes` shares the work among
processes, `outside` does what happens outside a transaction, `remote_calls` carries calls between processes, `wakes`
the hints, `jobs` what a component does by itself. May import hub's other files. To add a transport: a module here that
passes the conformance suite in tests/hub/transports.
"""
