"""A mail server that keeps what it is sent: for the story, the demo and the tests, in a process of its own.

`python -m tests.peers.mailbox --port 0` prints one line of JSON with its ports; `GET /stats` counts the mails,
`GET /mails` shows the last ones, `POST /faults` makes it misbehave. Imports nothing of ours: it knows SMTP only.
To add a fault: a field of `faults.Faults`, and its place in `catcher`.
"""
