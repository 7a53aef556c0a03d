"""Tests of the ledger: each operation against a naive model, the writer, the chain, against real PostgreSQL."""
