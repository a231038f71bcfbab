"""Engines, tables, keys and migrations of the ledger."""
