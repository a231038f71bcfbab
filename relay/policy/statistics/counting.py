"""Which figure an exchange adds to: day, slot, parties, type, API and outcome (규격 첨부11; 지원-004, 지원-005).

Everything here is pure, and done alike for an exchange that just ended and for one read back from its access record.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from relay.domain.api import Catalogue
from relay.domain.exchange import Exchange
from relay.domain.ids import ApiType
from relay.domain.statistics import ON_DEMAND, SCHEDULED, SLOTS, Line
from relay.policy.call.access import Callers

_HOUR_S: Final = 3600
_KOREA_AHEAD_H: Final = 9
_DAYTIME: Final = range(9, 18)
_REGULAR: Final = ApiType.SCHEDULED.value
_SUCCESS: Final = "00000"
_SUCCESSES: Final = frozenset({_SUCCESS, "00001"})
_GOOD: Final = frozenset({200, 302})
_FAILED: Final = frozenset(
    {"provider_refused", "provider_reset", "provider_broken", "answer_unidentified", "provider_silent"}
)
_ERROR: Final = 500

NONE: Final = "none"
"""The code of an outcome that has none, though it was no success."""
OTHER: Final = "other"
"""The code of an outcome whose code the standard does not know, or not with its status."""


class Counting:
    """Finds the line of an exchange, by the words of the standard: countable `api_codes`, rsp_codes and OAuth errors.

    What a provider invents beside them is counted as OTHER, so that there are never more lines than parties and words.
    """

    def __init__(self, catalogue: Catalogue, rsp_codes: Collection[str], errors: Iterable[str]) -> None:
        self.api_codes = frozenset(api.api_code for api in catalogue.apis.values() if api.api_code)
        self._codes = frozenset(rsp_codes) | frozenset(errors)
        self._outcome = lru_cache(maxsize=4096)(self._named)

    def line(self, exchange: Exchange) -> Line | None:
        """The line that a closed exchange adds one to; None when it cannot be attributed.

        It needs an institution of ours, an operator and an API. Support APIs (지원-101 to -104) have no line.
        PERF: 0.8 us; Line(...) instead of what it does inside costs 0.2 more.
        """
        provider, operator, api_code = exchange.provider, exchange.operator, exchange.api_code
        if not provider or not operator or api_code not in self.api_codes:
            return None
        stat_date, tm_slot = _day_and_slot(int(exchange.received + exchange.total) // _HOUR_S)
        return tuple.__new__(
            Line,
            (
                stat_date,
                tm_slot,
                provider,
                operator,
                exchange.client_id,
                SCHEDULED if exchange.api_type == _REGULAR else ON_DEMAND,
                api_code,
                self._outcome(exchange.status, exchange.rsp_code, exchange.error, exchange.reason),
            ),
        )

    def misses(self, exchange: Exchange) -> bool:
        """Whether an exchange without a line should have had one, had it told all: it is of no support API."""
        return not exchange.api_code or exchange.api_code in self.api_codes

    def _named(self, status: int, rsp_code: str, error: str, reason: str) -> str:
        """HTTP status and code.

        An OAuth error stands before the rsp_code of the fault behind it: the operator read the error. Nothing said and
        nothing wrong is success: tokens, pages, answers in a coding the relay does not read.
        """
        code = error or rsp_code
        if not code:
            return f"{status}_{_SUCCESS if status in _GOOD and not reason else NONE}"
        if code not in self._codes or (code in _SUCCESSES and status not in _GOOD):
            return f"{status}_{OTHER}"
        return f"{status}_{code}"


def day_of(exchange: Exchange) -> str:
    """The day in Korea (YYYYMMDD) on which a closed exchange ended."""
    return _day_and_slot(ended_at(exchange) // _HOUR_S)[0]


def ended_at(exchange: Exchange) -> int:
    """The second, since the epoch, within which a closed exchange ended."""
    return int(exchange.received + exchange.total)


@lru_cache(maxsize=64)
def _day_and_slot(hour: int) -> tuple[str, str]:
    """Day (YYYYMMDD) and slot in Korea of an hour since the epoch; days and slots begin with whole hours (첨부11).

    PERF: a look-up for everything that ends in the same hour.
    """
    korean = datetime.fromtimestamp((hour + _KOREA_AHEAD_H) * _HOUR_S, UTC)
    return f"{korean:%Y%m%d}", SLOTS[0 if korean.hour in _DAYTIME else 1]


def answered(exchange: Exchange) -> bool | None:
    """Whether the institution answered (True) or failed to (False); None when it had no occasion to do either.

    What the authority answers says nothing about institutions: only data calls have an industry.
    """
    if not exchange.industry:
        return None
    if exchange.reason in _FAILED:
        return False
    status = exchange.provider_status
    return status < _ERROR if status else None


def only_services(callers: Callers) -> Mapping[str, str]:
    """The client_id of each operator that has but one service, by org_code.

    A call that was refused before its token told the service can only have been that one's.
    """
    return {one.operator.org_code: next(iter(one.clients)) for one in callers.everyone if len(one.clients) == 1}
