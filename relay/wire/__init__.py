"""Floor 1: HTTP/1.1 alone. Knows bytes, heads and limits; knows nothing of MyData."""
