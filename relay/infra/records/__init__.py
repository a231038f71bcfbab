"""Metrics and access records of calls."""
