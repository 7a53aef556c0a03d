"""Planted bugs: each is what a tired afternoon could make of the real code, and the checker must catch every one.

`bugs` holds them. To add one: a context manager that patches the code, and the invariants that must name it.
"""
