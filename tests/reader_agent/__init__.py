"""Tests of `reader_agent/`, the card reader's program. May import it, `schemas` and the peers."""
