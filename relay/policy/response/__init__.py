"""Decisions about an institution's response."""
