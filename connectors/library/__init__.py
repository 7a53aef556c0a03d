"""Library systems: does the library know this card number? Asked by SIP2 2.00, as a self-service machine asks.

`sip2` makes and reads frames (pure), `conversation` is one connection, `lines` keeps one for each site, `sites` keeps
the settings, `commands` is `mykey-hub libraries`, `asking` answers at the counter and asks later where the library was
down, `reaching` tries the way for an operator. Nothing of loans is asked; of what a library tells of a patron, yes or
no is all that leaves this folder.

May import: `hub`, `schemas`. Never another connector, never a worker.

To add a library: `mykey-hub libraries register`, no code. To ask another question: its request and the width of its
answer's fixed part in `sip2`, and a method of `Line`.
"""
