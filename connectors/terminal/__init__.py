"""Terminals: where an agent enrols, and where staff have terminal IDs and passwords made.

`component` what the hub finds · `enrolment` the door where a one-time password is typed · `issuing` passwords drawn,
hashed, and listed to be handed out · `commands` the operators' `mykey-hub terminals`.

And the agents' uplink: `uplink` the door · `handshake` who is let in · `connections` what is said to each agent ·
`jobs` what is asked of it, and the answer · `keeping` what is sent and collected by each process · `uplink_store`
`uplink_statements` our tables. A job is asked in one process and may be done over a socket of another: its row is what
they share, a signal tells the other one to look. What agents tell by themselves, cards that come and go and a street's
answers to merge files, becomes events; `street_asking` is what a street's software asks through its agent.

And the counter, what a clerk's browser asks: `counter` the door · `counter_sessions` who comes in ·
`counter_operations` the card that an operation is bound to, and the rules against the wrong person · `counter_acts`
what is done in one · `counter_merging` points merged at a street's terminal · `counter_shapes` `counter_store`
`counter_statements` its words and tables. To add an act: a purpose in `counter_shapes` and its table of kinds, a method
in `counter_acts` that asks the card `again`, a route.

May import: `hub`, `schemas`.
"""
