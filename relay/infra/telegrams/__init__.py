"""Lines (회선) to cores that speak telegrams: TCP connections, matching of responses, line management."""
