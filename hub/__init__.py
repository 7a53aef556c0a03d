"""The hub carries messages between components, keeps them until their effect commits, knows no business.

Here live the one handler shape and its transaction, the route table, the message store and its transports,
the database with its migrations and roles, the web server's common parts, settings, logs, clock and ids.

May import: `schemas`. Never a worker or a connector: `hub.__main__` finds those by the entry points
`mykey_hub.components` and imports none by name.

To add a part: one file named by what it holds, a docstring that says so, and a test file of the same name in
`tests/hub/`.
"""
