"""The registry keeps who is who: municipalities, parties, citizens and links, cards, log-ins and sessions.

One file a subject: `municipalities`, their `offices`, `parties`, `mykey_ids` (the rules of MyKey IDs, pure),
`enrolments`, `citizens`, `links`. A card: `certificates` verifies, `purposes` says what a tap is good for, `succession`
is the port to whoever knows of revocations, `cards` keeps the history, `proofs` what a job has proven. Who somebody is:
`lifetimes` (MyKey IDs made, changed, revoked with a card), `accounts` (passwords), `tries` (failures counted),
`logins`, `sessions`. Card numbers: `issuers`, `service_ids`, `linked_close`. Terminals: `plans`, `terminals`.
`…statements` have the SQL, `component` puts them together, `data/` has the list of municipalities.

May import: `hub`, `schemas`. To add something to keep: a table in a new migration, a file with its handlers,
its messages in `schemas/`, and a line in `component` and in `hub.routes`.
"""
