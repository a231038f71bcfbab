"""Floor 2: addresses of host names, resolved by c-ares and remembered."""
