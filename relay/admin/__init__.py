"""The admin port (private): health, readiness, metrics."""
