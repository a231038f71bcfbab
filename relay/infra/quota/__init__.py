"""Counters of quotas."""
