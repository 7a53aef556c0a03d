"""Tests of `tools/`. May import `tools`. To add one: plant a fault, and see it found."""
