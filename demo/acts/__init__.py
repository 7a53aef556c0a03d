"""The acts of the story, one file each: `async def play(stage)` does something real and checks what came of it.

May import `demo.stage`, `demo.world`, `demo.peers`, `hub` and `schemas`. To add one: a file here, a line in
`demo.story.ACTS`.
"""
