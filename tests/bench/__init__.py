"""The benchmarks: `make bench`, or `python -m tests.bench` from a checkout.

Every figure is a ratio against a yardstick run in the same call on the same server, median of interleaved rounds, and
every round adds up afterwards what it posted. `world` is what the load is about, `seeding` puts it into the database,
`yardsticks` and the files `p<number>_*` measure, `report` prints and writes `.bench/latest.json`. May import
everything; nothing imports it. To add a figure: a file with its measurement, and a line in `figures`.
"""
