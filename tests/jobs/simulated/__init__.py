"""A week of a relay on a given clock: its traffic, its gateways, its portal, and a naive recount beside them."""
