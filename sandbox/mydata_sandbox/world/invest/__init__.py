"""Data of the broker."""
