"""Tests of connectors/portal."""
