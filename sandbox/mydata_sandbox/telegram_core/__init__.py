"""The core (계정계) of a simulated savings bank that speaks telegrams (전문) only.

It knows nothing of the relay: `formats` and `messages` are an implementation of their own. `layouts` are the files
with which the relay is set up for this core.
"""
