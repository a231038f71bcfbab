"""Floor 2: what all aiohttp clients of the relay share."""
