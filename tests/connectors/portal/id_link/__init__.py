"""Tests of ID linkage, with providers of their own on loopback."""
