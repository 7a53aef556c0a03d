"""The portal's screens in a real browser: Debian's Chromium, driven by Playwright, on the demo's own world.

`site` starts what `make run` starts, with a small world; `browsing` opens browsers and looks at every page that a walk
comes to (axe, the markup, words that are not Japanese, width, the policy's reports) and takes its picture; `walks` are
the ways through the screens, each listed with its screen numbers.

May import: what all tests may.

To add a screen: a step in the walk that comes by it; `walker.see("name", "画面n")` looks at it.
"""
