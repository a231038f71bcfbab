"""Scheduled transfers (정기적 전송) that were made, shared by all gateways through the ledger."""
