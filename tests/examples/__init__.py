"""Tests of the examples, as far as the docs' own blocks (tests/connectors/sandbox) leave something to be told."""
