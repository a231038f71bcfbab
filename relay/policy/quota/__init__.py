"""Rates and shares of callers."""
