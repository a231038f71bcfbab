"""Simulated customers: their browser, CI and signatures."""
