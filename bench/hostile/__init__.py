"""Parts of hostile_peers.py: a constant load beside one hostile peer at a time."""
