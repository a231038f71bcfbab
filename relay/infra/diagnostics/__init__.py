"""Causes of failures, outage logging, and the probe of institutions."""
