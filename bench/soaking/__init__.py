"""Parts of soak.py: mixed load, bad peers, changing settings, samples of all processes."""
