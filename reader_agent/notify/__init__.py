"""The number-notification methods (番号通知方式): a service ID's number, handed to the program beside us.

`handing_on` chooses by the job's method; one file a method: `keyboard` (with `uinput` where there is no desktop),
`clipboard`, `file`, `url`. The number is never in a log, in the arguments of a program or in an error.

May import: `schemas` and the agent's own files. To add a method, add a file whose function takes the text and raises
NotHandedOnError, and a line in `handing_on`.
"""
