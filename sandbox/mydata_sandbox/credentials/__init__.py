"""Certificates, token keys and tokens of the sandbox."""
