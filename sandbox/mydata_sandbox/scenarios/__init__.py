"""Sequences of calls that the demo makes."""
