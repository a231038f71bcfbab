"""Keys, signatures and secrets of tokens and clients."""
