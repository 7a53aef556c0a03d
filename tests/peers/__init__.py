"""Simulators of the outside, each its own process. May import none of our code, it uses what is public."""
