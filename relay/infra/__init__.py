"""Floor 2: effects behind the ports: TLS, keys, upstream connections, counters, records."""
