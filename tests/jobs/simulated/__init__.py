"""A simulated week of a relay: traffic, gateways, portal, and an independent recount."""
