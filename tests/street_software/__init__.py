"""Tests of a street's own program, with files as the hub makes them and with files that no hub makes."""
