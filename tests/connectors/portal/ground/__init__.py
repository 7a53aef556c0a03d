"""Tests of connectors/portal/ground."""
