"""Consents, requests and tokens in the ledger."""
