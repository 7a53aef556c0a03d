"""Programs to begin with for those outside: each one file to copy, with nothing of ours in it.

Shown in docs/partners.md and docs/checkout.md, and run by the tests as they stand there.
"""
