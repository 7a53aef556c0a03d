"""A shopping street's own program (商店街ポイント活用ソフト), as a reference: what it must do with merge files.

It ships alone and imports none of our code, so that it is also a second reading of docs/streets.md, which a vendor in
any language can follow. `settings` what `street.toml` says · `reading` a file's bytes to a merge, or why not (pure) ·
`store` points and the numbers seen, in one SQLite file · `files` files read, answered and put away · `taking` the drop
folder worked through · `menu` the screen with 「合算ポイント受取」 · `__main__` the command `mykey-street`.

May import: the standard library and `cryptography`. To add a reason for refusing a file: a member of `reading.Reason`.
"""
