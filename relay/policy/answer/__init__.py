"""Decisions about the answer of an institution."""
