"""Connectors face somebody outside (a partner, a mail server, a person at a page) and only translate.

A connector keeps what it needs for translating in its own database schema, and decides nothing about points
or people: it asks a worker through the bus, and says what the outside did.

May import: `hub`, `schemas`. Never another connector, never a worker.

To add one: make a folder with `component.py`, whose `component()` builds a `hub.component.Component`; name it
in `pyproject.toml` under `mykey_hub.components` (a third party does so in a package of its own); put its
numbered SQL files in `migrations/`, its messages in `schemas/`, and its tests in `tests/connectors/`.
"""
