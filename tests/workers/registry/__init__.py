"""Tests of the registry, mostly through its messages on a real database; the rules of MyKey IDs by themselves."""
