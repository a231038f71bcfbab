"""Counts requests against quotas."""
