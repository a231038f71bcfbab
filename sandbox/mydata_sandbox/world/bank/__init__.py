"""Data of the bank."""
