"""Floor 2: the private port: health, readiness, metrics."""
