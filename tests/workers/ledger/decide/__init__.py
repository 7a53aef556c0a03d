"""Each operation's pure function against the naive ledger, and its own rules by example. One file per operation."""
