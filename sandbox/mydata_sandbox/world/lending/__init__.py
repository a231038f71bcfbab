"""Data of lenders."""
