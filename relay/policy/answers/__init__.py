"""Holds institutions' answers against the catalogue: pure rules, names of rules and fields, never values."""
