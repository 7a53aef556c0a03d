"""Tests of `connectors/`, one folder a connector. May import `hub`, `schemas` and the one under test."""
