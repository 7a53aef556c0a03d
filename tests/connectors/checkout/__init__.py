"""Tests of the shops' and funds' door. `shops` is a hub with a linked citizen, and a shop that signs."""
