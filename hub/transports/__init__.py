"""Transports: they only tell a component what is due; state and retry live in PostgreSQL (`hub.delivery`).

Each is one module behind the same port (`Receiver.start`, `wake`, `stop`). May import hub's other files. To add one:
a module here that passes the conformance suite in tests/hub/transports.
"""
