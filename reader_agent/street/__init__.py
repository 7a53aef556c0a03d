"""What a street's own software may ask of this terminal, over loopback; off unless `street_api` is set.

`door` the HTTP it speaks, `/street/v1` · `pairing` who may · `card_reads` whose card is in, with the person's consent
· `hub_asking` the hub asked over the uplink · `rates` how often.

May import: `schemas`, `reader_agent.ports`, `reader_agent.private_files`. To add something to be asked: a route in
`door`, a consent on the page where it tells of a person, a section in docs/streets.md.
"""
