"""`python -m local replay RUN`: shows that a finished run gives the same output again, byte for byte."""
