"""What the local stack says when it cannot go on."""


class StackError(Exception):
    """A sentence for the person at the keyboard: what is wrong and what to do about it."""
