"""The portal's registry in the ledger."""
