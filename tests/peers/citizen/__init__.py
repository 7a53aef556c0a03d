"""A citizen at a browser without a screen: `walks` is what one does on the hub's pages, and on those of companies.

`python -m tests.peers.citizen` does what it is told, line by line. Knows nothing but what stands on the pages.
"""
