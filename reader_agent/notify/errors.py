"""What goes wrong when a number is handed on; never with the number in it."""


class NotHandedOnError(Exception):
    """The number could not be handed to the other program: a tool is missing, or the target is not allowed."""
