"""ID linkage: the hub as OpenID Connect client of partners, shops and funds, and the way for those without OIDC.

`client_keys` the keys that we prove ourselves with · `discovery` a provider's addresses and keys · `id_tokens` what an
ID token must be · `openid` one provider's conversation: the way out, the code's exchange, revocation · `membership` the
door for those without OIDC, `lookup` link ids by account · `linking` a citizen's linking from begin to confirmation and
end · `linking_store` `linking_statements` our tables.

May import `hub`, `schemas` and the outbound client beside this package. A link itself is the registry's. To add another
way of proving an account: a field in `schemas.id_links.SetUpLinkage`, a file here, a branch in `linking`.
"""
