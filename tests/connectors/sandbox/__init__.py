"""Tests of the sandbox: as a stranger meets it, by its address; and that it starts on nobody else's database."""
