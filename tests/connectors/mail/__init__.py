"""The mail connector: words, letters and addresses by themselves; sending against a real database and mail server.

May import everything. To add a test of sending: take the fixture `mailbox`, say events with `say`, wait for counts.
"""
