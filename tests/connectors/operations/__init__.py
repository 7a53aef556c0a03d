"""The operators' door and the terminal program, on real processes."""
