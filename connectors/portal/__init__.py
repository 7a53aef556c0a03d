"""The screens for people: My Page for citizens, and later those for stores, staff, partners and operators.

`ground` is what every audience shares: look, frame, forms, sessions. Each audience is a folder beside it with one
file and its template per page; a page's docstring names the source's screens (画面n) that it serves. The portal
keeps no points and no citizens: it asks by messages, and translates between people and those who decide.

May import: `hub`, `schemas`. Never another connector, never a worker.

To add a page: one file with its handlers and one template in the audience's folder, its routes in that audience's list,
its line in `docs/screens.md`, its test beside the others.
"""
