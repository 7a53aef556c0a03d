"""Tests mirror the code; they run on a real PostgreSQL, and may import everything.

`journeys/` are whole stories with nothing mocked, `reliability/` and `bench/` hunt and measure, `peers/` are
simulators of the outside that use only public interfaces. To add a test: put it where the code it tests has
its place.
"""
