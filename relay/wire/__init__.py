"""Floor 1: HTTP/1.1 and TLS records, independent of MyData."""
