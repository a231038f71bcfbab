"""Limits and timeouts of aiohttp listeners' connections."""
