"""The parts of the benchmark: install, make identities, start gateways, load them, count, report."""
