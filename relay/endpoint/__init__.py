"""Shared by HTTP endpoints behind the gateway: calls, responses, forms, OAuth errors, listeners."""
