"""Random calls from a seed, in the order of their ends."""

from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from relay.domain.exchange import Exchange
from relay.domain.party import Operator, Service
from relay.policy.call.access import Caller, Callers

KST = timezone(timedelta(hours=9))
FIRST = datetime(2026, 12, 27, tzinfo=KST).timestamp()
"""Sunday, midnight: the week includes the end of the year."""
DAY = 86400
WEEK = "20270103"
PROVIDERS = [f"ZP{number:02}000000" for number in range(20)]
OPERATORS = {f"ZO{number:02}000000": (f"service{number:02}a", f"service{number:02}b") for number in range(10)}

_DATA = ("BA01", "BA02", "BA03", "BA04", "CM01", "CM02")
_OAUTH = ("AU02", "AU03", "AU11")
_DATA_ENDS = ((200, "00000"), (200, "00001"), (500, "50005"), (429, "42901"), (401, "40104"))
_DATA_WEIGHTS = (94, 2, 2, 1, 1)
_OAUTH_ENDS = ((200, ""), (400, "invalid_grant"))
_OAUTH_WEIGHTS = (9, 1)
_KINDS = ("scheduled", "scheduled", "scheduled", "user-refresh", "user-search", "")


class Call(NamedTuple):
    """One call as its operator knows it. `is_identified` is whether the relay learned which service it was."""

    received: float
    took: float
    provider: str
    operator: str
    client_id: str
    is_identified: bool
    kind: str
    api_code: str
    status: int
    word: str

    @property
    def ended(self):
        return self.received + self.took

    @property
    def good(self):
        return self.word in {"", "00000", "00001"}

    def exchange(self):
        """Returns the closed exchange of the gateway."""
        exchange = Exchange(0.0, self.received)
        exchange.operator, exchange.provider, exchange.api_code, exchange.api_type = (
            self.operator,
            self.provider,
            self.api_code,
            self.kind,
        )
        exchange.client_id = self.client_id if self.is_identified else ""
        exchange.status, exchange.industry = self.status, "" if self.api_code in _OAUTH else "bank"
        exchange.rsp_code, exchange.error = (self.word, "") if self.word[:1].isdigit() else ("", self.word)
        exchange.provider_status = 200 if self.good and exchange.industry else 0
        exchange.close(self.took)
        return exchange


def callers():
    """Returns the operators as gateways know them, each with two services."""
    return Callers.from_iterable(
        Caller.from_operator(
            Operator(
                org_code,
                org_code,
                org_code,
                (),
                tuple(Service(client_id, client_id, org_code) for client_id in services),
            )
        )
        for org_code, services in OPERATORS.items()
    )


def calls(chance, count):
    """Returns calls from an hour before the week to an hour after it, some at the very edges of days and slots.

    An operator sends several calls in a row to an institution. Times are in 1/1024 s, so that their sums are exact.
    """
    calls_ = [call for end in _EDGES for call in _make_calls(chance, end, 4)]
    while len(calls_) < count:
        begin = chance.randrange(int(FIRST - 3600) * 1024, int(FIRST + 7 * DAY + 3600) * 1024) / 1024
        calls_ += _make_calls(chance, begin, min(chance.randrange(1, 120), count - len(calls_)))
    return sorted(calls_, key=lambda call: call.ended)


_EDGES = [
    FIRST + day * DAY + hour * 3600 + tick / 1024 for day in range(8) for hour in (0, 9, 18) for tick in (-1, 0, 1)
]


def _make_calls(chance, end, length):
    operator, provider = chance.choice(list(OPERATORS)), chance.choice(PROVIDERS[: chance.randrange(1, 21)])
    client_id, kind = chance.choice(OPERATORS[operator]), chance.choice(_KINDS)
    data = chance.random() < 0.93
    codes, ends, weights = (_DATA, _DATA_ENDS, _DATA_WEIGHTS) if data else (_OAUTH, _OAUTH_ENDS, _OAUTH_WEIGHTS)
    for status, word in chance.choices(ends, weights, k=length):
        took = int(chance.random() * 5 * 1024) / 1024
        yield Call(
            received=end - took,
            took=took,
            provider=provider,
            operator=operator,
            client_id=client_id,
            is_identified=word != "40104" or chance.random() < 0.8,
            kind=kind if data else "",
            api_code=chance.choice(codes),
            status=status,
            word=word,
        )
        end += int(chance.random() * 2048) / 1024 if length > 4 else 0
