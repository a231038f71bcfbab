"""TLS of connections: handshakes in turns, their messages and alerts, limits of records."""
