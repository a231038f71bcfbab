"""Shared code of the aiohttp clients."""
