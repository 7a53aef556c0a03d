"""The demo world and the main story, played on the real thing.

May import `hub` and `schemas`; it reaches components only by messages and by their public HTTP doors, and starts the
peers in `tests/peers` as processes of their own. To add an act: a file here with `async def play(stage)`, a line in
`demo.story.ACTS`.
"""
