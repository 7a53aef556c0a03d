"""The shops' and funds' door: points pay for an order, in whole or in part (mission I.7, I.8).

`component` what the hub finds · `audience` who is let in · `authorizations` `balances` `redirects` `offers`
`referrals` the HTTP routes · `shapes` what they take and answer · `orders` an order's way to the ledger · `checkouts`
`returns` the way by our own page and back · `left_orders` those that nobody ends · `store` `statements` our tables:
orders and what is counted of a day · `counting` what orders that ended give back to their day · `commands` the
operators' `mykey-hub offers`.

May import `hub` and `schemas`. Points are decided by the ledger, links by the registry, approvals by the goods worker;
all are asked through the bus. To add a shop or fund: register the party and its key, no code.
"""
