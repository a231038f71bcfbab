"""One request with its answer, as it is counted and recorded. Never holds a token, a CI, an asset or a body."""


class Exchange:
    """The record of one call, filled as it lives, closed exactly once.

    Times are seconds of a monotonic clock, 0.0 when the moment never came. `received` is the epoch time of the request.
    `total` is from the request's last byte to the answer's last byte, `upstream` from asking the provider (dialling
    included) to its last byte; both stand once the exchange is closed. Sizes are body bytes. `reason` is the name of
    the fault, "" when there was none; `error` the OAuth error that was answered (규격 3.10), "" for none.
    `provider_status` is what the provider answered, 0 when it did not. `detail` says in a few words what led to
    `reason`: the cause of a failed connection, what was wrong with an answer.
    `repeated` is how many exchanges an access record stands for: more than one only in a flood of refusals.
    """

    __slots__ = (
        "api_code",
        "api_type",
        "asked",
        "attempts",
        "bytes_in",
        "bytes_out",
        "client_id",
        "detail",
        "ended",
        "error",
        "first_byte",
        "industry",
        "operator",
        "provider",
        "provider_ended",
        "provider_status",
        "reason",
        "received",
        "repeated",
        "rsp_code",
        "started",
        "status",
        "total",
        "tran_id",
        "upstream",
        "waited",
    )

    def __init__(self, started: float, received: float) -> None:
        self.started = started
        self.received = received
        self.asked = 0.0
        self.first_byte = 0.0
        self.provider_ended = 0.0
        self.ended = 0.0
        self.total = 0.0
        self.upstream = 0.0
        self.waited = 0.0
        self.tran_id = ""
        self.operator = ""
        self.client_id = ""
        self.provider = ""
        self.industry = ""
        self.api_code = ""
        self.api_type = ""
        self.status = 0
        self.provider_status = 0
        self.rsp_code = ""
        self.reason = ""
        self.error = ""
        self.detail = ""
        self.attempts = 0
        self.repeated = 1
        self.bytes_in = 0
        self.bytes_out = 0

    def close(self, now: float) -> None:
        """Close it at `now`: what it took in all, and what of that the provider took (0.0 when it was not asked)."""
        self.ended = now
        self.total = now - self.started
        if self.asked:
            self.upstream = (self.provider_ended or now) - self.asked
