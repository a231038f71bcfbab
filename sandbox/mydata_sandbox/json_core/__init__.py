"""The core (계정계) of a simulated insurer with an HTTP API of its own.

It knows nothing of the relay: `core` and `views` are an implementation of their own. `layouts` are the files with which
the relay is set up for this core.
"""
