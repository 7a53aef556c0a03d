"""An OpenID provider that is not ours: npm's `oidc-provider`, as a process on loopback.

`provider.mjs` its settings and what it tells · `package-lock.json` what is brought (`python -m tools.needs
oidc-provider`) · `running` starts it and logs in by its own pages. Imports none of our code.
"""
