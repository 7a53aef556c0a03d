"""An airline as a partner company: sends its transfers over the public HTTP API, with its own key.

`python -m tests.peers.airline --help` says how to start it. `signing` is its own RFC 9421, `client` asks again
what may be asked again, `transfers` reads its rows as they are, `tally` counts what came of them. Imports none of
our code, only what any partner could install.
"""
