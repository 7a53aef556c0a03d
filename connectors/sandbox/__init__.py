"""The sandbox: a whole hub with made-up people, in which partners, shops and funds try their programs out.

`commands` `mykey-hub sandbox` · `place` its folder and database, which are never a real hub's · `hosting` the installed
components, and what is bent of them · `component` the door `/api/sandbox` · `audience` who is let in · `door`
`rehearsing` its routes · `shapes` what they take and answer · `issuing` a party with keys and people of its own ·
`people` those citizens · `cards` the virtual cards they have their MyKey IDs by · `world` what all parties share ·
`store` `statements` our tables · `faults` failures to order · `watching` what came in, and why it was not let in.

May import `hub` and `schemas`. It is no entry point of `mykey_hub.components`, on purpose: no process of a real hub can
host it, only `mykey-hub sandbox` does, on a database that it made itself. To add a failure: a member of
`faults.FaultKind`, and what it does in `faults`.
"""
