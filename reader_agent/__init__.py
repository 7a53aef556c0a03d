"""The card reader's program: it ships alone to a counter's PC and speaks for the card in the reader.

`__main__` the command line · `running` the parts together, by the protocols of `ports` · `settings` the folder and its
`agent.toml` · `enrolment` keys, form, the hub's key · `fingerprint` of this machine · `private_files` files that are
ours alone · `names_on_disk` their names, and others' · `page` `page_html` the page on 127.0.0.1 · `typed_numbers`
`line_device` numbers from readers that type · `notify` numbers handed to other programs · `files` merge files for a
street's program, and its answers · `street` what a street's own software may ask.

The uplink: `uplink` the connection to the hub · `uplink_handshake` both sides proven · `job_runner` what the hub asks.

The card: `desk` one job at a time · `presence` which cards are in · `card_keeper` keeps the card process, which can be
killed · `card_process` `card_session` what it does, `card_frames` over a pipe · `readers` by PC/SC · `jpki` `apdu` what
is said to a card · `racing` whatever comes first.

May import: `schemas`. `smartcard` (pyscard, the extra `reader`) is imported in `readers.py` only.

To add a way of handing a number on (keyboard, clipboard, file, address), see `notify`.
"""
