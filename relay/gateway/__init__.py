"""Floor 2: the data plane. It judges, forwards and records each call."""
