"""Merge files (合算ポイントファイル): dropped into the folder of the street's program, and its answers told to the hub.

`dropping` one file into the folder, whole and never over another · `answers` what the program has put beside it ·
`journal` what was dropped and answered, in an SQLite file of the agent's own · `merge_folder` the three together, as
`ports.MergeDesk` wants it. What is in the journal outlives the agent; the folder may be a share that comes and goes.

An agent without a card reader, beside a street's own server, takes the files of all the street's terminals.

May import: `schemas` and the agent's own files. To add a trouble of folders: a member of `schemas.uplink.MergeTrouble`,
and its error in `dropping`.
"""
