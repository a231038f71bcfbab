"""Consents, tokens and what proves them (규격 2.2, 3장)."""
