"""Engines, tables and encryption of the ledger."""
