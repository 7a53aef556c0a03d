"""A partner's OpenID provider: logs members in, and proves them to its one client by OpenID Connect.

`python -m tests.peers.openid --help` says how to start it. `provider` the web service, `registered` what it keeps,
`checks` what a client has to prove. As strict as FAPI 2.0 asks where that costs nothing: pushed requests only, PKCE by
S256, private_key_jwt, codes good once. Imports none of our code.
"""
