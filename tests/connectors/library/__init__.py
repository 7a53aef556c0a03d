"""Tests of the library connector: frames, one connection, real library systems of others, and the whole way."""
