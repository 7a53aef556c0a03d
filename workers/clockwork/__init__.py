"""The clockwork does what time brings by itself: reminders, the sweep of reserve points, expiry, the end of holds.

`days` says which last days a day's work covers (pure), `work` does it page by page and remembers how far it
came, `holds` ends what nobody took in time, `statements` has the SQL, `component` puts them together.

May import: `hub`, `schemas`. To add a kind of work: a member of `days.WorkKind` with its range of days, and in
`work` what one page of it does.
"""
