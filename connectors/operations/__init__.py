"""The operators' door: what flows, what is parked, one message's whole way; and what may be done about it.

`component` what the hub finds · `audience` who is let in · `seeing` `doing` `telling` the HTTP routes · `shapes` what
they take and answer · `corrections` `correcting` `correction_shapes` wrong postings, reversed by two people · `work`
each thing that can be seen or done, the same for the door and the terminal · `flowing` what flows, put together ·
`redrives` what is redriven in many steps · `copies` edited bodies · `operators` names, roles and tokens · `acts` the
audit · `statements` our tables · `console` `options` `desk` `screen` `tables` `correction_tables` the terminal
program, on the database itself or over the door · `municipalities` `issuers` commands that register what offices and
the ministry have · `service_ids` commands for card numbers of the wrong person · `settlement` `settled` what a
municipality is owed and owes, with its details.

A component of its own, not a part of every process: so that the tables of operators and of their acts are reached by
one database role only, and so that the door is open where `mykey-hub run operations` runs, and nowhere else. What is
parked, paused or copied is the hub's; this connector asks `hub.store`, `hub.redriving` and `hub.flow` to see and do it.

May import: `hub`, `schemas`. To add an act: a kind in `acts`, a method in `work` which records it in the transaction
that does it, a route in `doing`, a command in `console`; `tests/connectors/operations/test_acts.py` asks for each.
"""
