"""Data of the card company."""
