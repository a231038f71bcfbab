"""Processes of the relay: gateway, authority, jobs, and what they share."""
