"""Decisions about the servers of institutions: which address to use, when to stop, how many calls at once."""
