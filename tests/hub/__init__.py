"""Tests of `hub/`, file by file. May import `hub`, `schemas`, and asyncpg to look at rows."""
