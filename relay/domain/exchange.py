"""One request with its answer, as it is counted and recorded. Never holds a token, a CI, an asset or a body."""


class Exchange:
    """The record of one call, filled as it lives, closed exactly once.

    Times are seconds of a monotonic clock, 0.0 when the moment never came. `received` is the epoch time of the request.
    Sizes are body bytes. `reason` is the name of the fault, "" when there was none. `provider_status` is what the
    provider answered, 0 when it did not.
    """

    __slots__ = (
        "api_code",
        "api_type",
        "asked",
        "attempts",
        "bytes_in",
        "bytes_out",
        "client_id",
        "ended",
        "first_byte",
        "industry",
        "operator",
        "provider",
        "provider_ended",
        "provider_status",
        "reason",
        "received",
        "rsp_code",
        "started",
        "status",
        "tran_id",
    )

    def __init__(self, started: float, received: float) -> None:
        self.started = started
        self.received = received
        self.asked = 0.0
        self.first_byte = 0.0
        self.provider_ended = 0.0
        self.ended = 0.0
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
        self.attempts = 0
        self.bytes_in = 0
        self.bytes_out = 0

    @property
    def total(self) -> float:
        """Seconds from the request's last byte to the answer's last byte."""
        return self.ended - self.started

    @property
    def upstream(self) -> float:
        """Seconds the provider took, from asking (dialling included) to its last byte; 0.0 when it was not asked."""
        if not self.asked:
            return 0.0
        return (self.provider_ended or self.ended) - self.asked
