"""What counts against quotas, for the gateway and its counters."""

CallKey = tuple[str, str, str, bool]
"""What decides the limits of a call: operator, institution, client_id of the service, whether it is scheduled."""


class NotLeased(Exception):
    """The call must wait: the limits are shared with other gateways, and this one has leased too few requests."""
