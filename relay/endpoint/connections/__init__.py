"""Connections of listeners served by aiohttp: how many there may be, and how long each may wait for its caller."""
