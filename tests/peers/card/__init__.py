"""My Number Cards, other cards and a reader, without any hardware: made of what is public about the real ones.

`authority` issues certificates as J-LIS would, `card` are the cards, each one method `send_and_receive`, usable in
memory; `vpcd` puts them into a virtual reader of `pcscd`, a real PC/SC service. Imports none of our code.
To add a way to misbehave: a field of `card.Quirks`, and its place in `card.JpkiCard`.
"""
