"""What counts against quotas, for the gateway and its counters."""

from typing import NamedTuple

CallKey = tuple[str, str, str, bool]
"""What decides the limits of a call: operator, institution, client_id of the service, whether it is scheduled."""


class NotLeased(Exception):
    """The call must wait: the limits are shared with other gateways, and this one has leased too few requests."""


class Transfer(NamedTuple):
    """One call of a scheduled transfer (정기적 전송, 규격 3.3.1).

    `digest` is a keyed digest of consent, API and asset, `week` the moment at which the week of the call began. A
    continuation asks for a page after the first.
    """

    digest: bytes
    week: int
    is_continuation: bool
