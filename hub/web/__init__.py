"""The ground under all HTTP doors: what is the same for partners, shops, terminals and people.

`app` the route table and the guard before every handler · `server` listening, and hanging up on dawdlers ·
`answers` what every answer has: request id, headers, log line · `problems` `validation` problem
details in English and Japanese · `bodies` the one strict body reader · `digests` `signatures` RFC 9530 and
RFC 9421 · `limits` rates and the waiting room · `pages` cursors · `openapi` `reference` the document and its
page · `sockets` WebSockets · `leaving` what ends with whoever asked · `health` probes and metrics.

May import `schemas` and the rest of `hub`, and with the connectors that serve is the only place that imports
`aiohttp.web`. To add a door: an `Audience`, its `Route`s, and handlers that read bodies through `bodies`
only.
"""
