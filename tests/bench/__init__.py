"""Yardsticks and measurements, run by `make bench`. May import everything."""
