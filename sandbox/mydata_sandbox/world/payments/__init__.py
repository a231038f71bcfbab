"""Data of electronic payments and telecommunication."""
