"""Decisions about consents: what a customer agrees to, and what was signed."""
