"""Floor 0: small types independent of MyData: events, log rates, caches, shared and untracked values."""
