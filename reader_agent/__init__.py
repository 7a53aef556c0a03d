"""The card reader's program: it ships alone to a counter's PC and speaks for the card in the reader.

May import: `schemas`. `smartcard` (pyscard, the extra `reader`) is imported in `card.py` only.

To add a way of handing a card's answer on (keyboard, clipboard, file, address), add a file of its own.
"""
