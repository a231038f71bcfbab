"""Consents, tokens and their proofs (규격 2.2, 3장)."""
