"""Shopping streets: the encrypted merge file (合算ポイントファイル), from 「合算」 to the street's acknowledgement.

`layout` `cipher` make the file (pure, docs/streets.md) · `streets` what we share with each street · `merging` merges
begun and answered · `delivering` files brought to the terminals · `merge_store` `statements` our tables · `door` what
streets' servers ask by HTTP · `card_asking` whose card is in · `commands` the operators' `mykey-hub streets`.
`component` puts them together.

May import: `hub`, `schemas`. Never another connector, never a worker. What a street's program does with a file is in
`street_software`, which is written after docs/streets.md alone and shares no code with this folder.

To add a street: `RegisterStreet` and a key, no code. To add a way of encrypting: a member of
`schemas.streets.CipherMode`, its branch in `cipher`, a vector in `docs/contracts/merge`.
"""
