"""Tests of `hub/web/`, file by file. May import `hub`, `schemas`, and aiohttp as the client."""
