"""Notices by mail to the citizens who chose them: points granted, moved, expired, and the two reminders.

Hears who wants mail and what happened to points, keeps names and addresses sealed, and sends by SMTP:
`notices` decides who is told, `letters` writes, `smtp` carries, `sending` does one mail and records it once;
`refusals` tells whom a server's no is about;
`reaching` tries whether the server is there. `accounts` tells of MyKey IDs, passwords and addresses changed;
`checkpoints`, `outages` and `overdue` mail what is not for citizens; all four through `plain`.
By RFC 5321, 5322, 6376 and 8058.

May import: `hub`, `schemas`. Never another connector, never a worker.

To add a notice: a kind in `schemas.notices`, its choice in `choices`, its message in `notices`, and its two
texts in `texts/` (the first line of `<name>.txt` is the subject).
"""
