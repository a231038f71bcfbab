"""Writes access records and logs on threads, so that no caller blocks."""
