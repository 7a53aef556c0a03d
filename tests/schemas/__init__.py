"""Tests of `schemas/`, file by file. May import `schemas`."""
