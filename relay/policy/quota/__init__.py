"""Rates and shares: how much a caller may take."""
