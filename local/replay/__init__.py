"""`python -m local replay RUN`: shows that a finished run would come out the same again, byte for byte."""

from local.replay.command import main

__all__ = ["main"]
