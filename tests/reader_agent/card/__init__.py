"""Tests of the agent's card side: the same ones over cards in memory, and over a real PC/SC service with virtual cards.

`in_memory` are readers and a card process without any process, for others' tests too; `counter` is what a test has.
"""
