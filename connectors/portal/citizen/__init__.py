"""My Page, for citizens: 画面1, 12 to 21 and 40 to 63.

One file and its template per page; the file's docstring names its screen numbers.

May import: `hub`, `schemas`, `connectors.portal.ground`.

To add a page: see `connectors.portal`.
"""
