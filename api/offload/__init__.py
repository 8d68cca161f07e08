"""Work that grows with what a caller sends, in processes of its own.

A thread would not do: one call of the JSON parser holds the interpreter, and with it the event loop, until it
ends. A process can also be killed when it takes too long.
"""
