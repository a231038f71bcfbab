"""Statistics in the ledger."""
