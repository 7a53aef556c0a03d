"""Workers keep state in PostgreSQL and decide.

A worker alone writes the tables of its database schema. It hears commands, queries and events from the hub, a
run of messages at a time, and what it says commits together with its rows or not at all. It meets nobody
outside.

May import: `hub`, `schemas`. Never another worker, never a connector.

To add one: make a folder with `component.py`, whose `component()` builds a `hub.component.Component`; name it
in `pyproject.toml` under `mykey_hub.components`; put its numbered SQL files in `migrations/`, its messages in
`schemas/`, and its tests in `tests/workers/`.
"""
