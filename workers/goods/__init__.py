"""What points may be used for: offers of shops and funds, and which municipality has approved which (mission I.7, I.8).

`component` which file handles which message · `parties` who is a shop or fund, who has applied for it, whose an event
is · `posting` offers · `deciding` approvals · `referring` new businesses · `looking` questions · `statements` the SQL.

May import: `hub`, `schemas`. A product or fund that a municipality has not approved cannot take its points: the shops'
door asks here. A changed offer has to be approved anew.
"""
