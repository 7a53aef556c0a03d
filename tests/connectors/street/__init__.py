"""Tests of the street connector: files as pure functions, and the way of a merge on a real database."""
