"""The partners' door: companies move their points in, by signed batches and by files of up to a million rows.

`component` what the hub finds · `audience` who is let in · `transfers` `files` `settlement` `coupons` the HTTP routes ·
`id_link` accounts at partners, shops and funds are linked · `webhooks` what they are told · `outbound` the way out
to them · `shapes` what the routes take and answer · `items` what is right and wrong with one transfer · `canonical` the
text its hash is taken over · `pipeline` from items to outcomes, the same for batches and files · `intake` a body taken
durably · `lines` `rows` from a file's bytes to items · `work` a file worked through · `result_file` its results as CSV
· `destinations` where a partner's points may go · `store` `statements` our tables · `jobs` what is cleaned up.

May import `hub` and `schemas`. Everything about points is decided by the ledger, everything about links
by the registry; both are asked through the bus. To add a partner: register the party and its key, no
code. To add a way in: turn it into items, and give them to the pipeline.
"""
