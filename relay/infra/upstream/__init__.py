"""Connections to institutions: pools, dialing, probing, TLS."""
