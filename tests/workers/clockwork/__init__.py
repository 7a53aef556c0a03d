"""Tests of the clockwork: which days it covers, by itself; what it does, with the real ledger and registry."""
