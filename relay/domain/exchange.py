"""One request with its response, for statistics and records. Never holds a token, a CI, an asset or a body."""


class Exchange:
    """The record of one call, filled during the call and closed exactly once.

    Times are seconds of a monotonic clock, 0.0 for events that did not occur; `received` is the epoch time of the
    request. `grant_wait` is how long the call waited for its token and its grant. `total` is the time from the
    request's last byte to the response's last byte, `upstream` the time from the request to the institution
    (connecting included) to its last byte; `close` sets both. Sizes are body bytes. `reason` is the name of the fault,
    `error` the OAuth error of the response (규격 3.10), each "" for none. `provider_status` is the status of the
    institution, 0 without a response. `detail` describes the cause of `reason` in a few words: why a connection failed
    or what is wrong with a response. `repeated` is the number of exchanges that an access record stands for, more than
    one only in a flood of refusals.
    """

    __slots__ = (
        "api_code",
        "api_type",
        "attempts",
        "bytes_in",
        "bytes_out",
        "client_id",
        "detail",
        "ended",
        "error",
        "first_byte",
        "grant_wait",
        "industry",
        "operator",
        "provider",
        "provider_ended",
        "provider_started",
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
    )

    def __init__(self, started: float, received: float) -> None:
        self.started = started
        self.received = received
        self.provider_started = 0.0
        self.first_byte = 0.0
        self.provider_ended = 0.0
        self.ended = 0.0
        self.total = 0.0
        self.upstream = 0.0
        self.grant_wait = 0.0
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
        """Closes the exchange at `now` and sets `total` and `upstream` (0.0 without a request to the institution)."""
        self.ended = now
        self.total = now - self.started
        if self.provider_started:
            self.upstream = (self.provider_ended or now) - self.provider_started
