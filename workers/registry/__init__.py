"""The registry keeps who is who: municipalities, schemes, support events, parties, keys, citizens, links.

One file a subject: `municipalities`, `parties`, `mykey_ids` (the rules of MyKey IDs, pure), `enrolments`,
`citizens`, `links`; `statements` has the SQL, `component` puts them together, `data/` has the list of
municipalities.

May import: `hub`, `schemas`. To add something to keep: a table in a new migration, a file with its handlers,
its messages in `schemas/`, and a line in `component` and in `hub.routes`.
"""
