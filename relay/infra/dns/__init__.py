"""Host name resolution by c-ares, with a cache."""
