"""Simulators of the outside, each a process of its own. May import none of our code: it uses what is public."""
