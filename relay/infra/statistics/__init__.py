"""Statistics on their way from a gateway to the ledger."""
