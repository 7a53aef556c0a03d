"""Tests of the partners' door. `town` is a hub with a few citizens, and partners who sign."""
