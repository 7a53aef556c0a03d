"""Whole stories, nothing mocked. May import everything."""
