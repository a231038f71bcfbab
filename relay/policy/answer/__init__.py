"""Decisions about an institution's answer."""
