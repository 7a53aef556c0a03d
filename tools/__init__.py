"""Checks of this house that no public tool makes; `make check` runs them.

May import: the standard library only. To add one: a function from a parsed source file to its faults in
`house_rules.py`, and a planted fault in `tests/tools/` that it must find.
"""
