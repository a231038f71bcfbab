"""Connections to upstreams: pools, dialing, probing, TLS."""
