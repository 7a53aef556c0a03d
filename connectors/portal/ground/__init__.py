"""What every audience of the portal shares: the look, the frame around a page, forms, sessions, headers.

`look` serves what `assets/` is built into; `rendering` writes pages from `templates/` (`parts.html` lists the parts
to build a page from); `charts` draws. `sessions`, `csrf`, `headers`, `forms`, `onetime`, `pages` are a request's way.

May import: `hub`, `schemas`. Never an audience's folder.

To add a part: a macro in `templates/parts.html` with a comment on what it takes; its look in `assets/_parts.scss`.
"""
