"""Counts exchanges on a gateway and delivers the counts to the ledger."""
