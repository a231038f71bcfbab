"""Maps an exchange to its line: day, slot, parties, type, API and outcome (규격 첨부11; 지원-004, 지원-005).

It is the same for an exchange that just ended and for one read from its access record.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final

from relay.domain.api import SUCCESS, SUCCESS_CODES, Catalogue
from relay.domain.exchange import Exchange
from relay.domain.fault import CONNECT_FAULTS
from relay.domain.ids import ApiType
from relay.domain.korea import KOREA, format_day
from relay.domain.statistics import ON_DEMAND, SCHEDULED, SLOTS, Line
from relay.policy.call.access import Callers

_HOUR_S: Final = 3600
_DAYTIME: Final = range(9, 18)
_SCHEDULED_TYPE: Final = ApiType.SCHEDULED.value
_GOOD_STATUSES: Final = frozenset({200, 302})
_INSTITUTION_FAULTS: Final = frozenset(
    {
        *(fault.name for fault in CONNECT_FAULTS),
        *("provider_reset", "provider_broken", "answer_unidentified", "provider_silent"),
        "provider_refused",  # in records of former versions
    }
)
_ERROR: Final = 500

NONE: Final = "none"
"""The code of a failure without a code."""
OTHER: Final = "other"
"""The code of an outcome whose code is unknown to the standard, or contradicts its status."""


class Counting:
    """Maps exchanges to lines by the standard: countable `api_codes`, rsp_codes and OAuth errors.

    Other codes of providers are counted as OTHER, so that the number of lines stays limited.
    """

    def __init__(self, catalogue: Catalogue, rsp_codes: Collection[str], errors: Iterable[str]) -> None:
        self.api_codes = frozenset(api.api_code for api in catalogue.apis.values() if api.api_code)
        self._codes = frozenset(rsp_codes) | frozenset(errors)
        self._outcome = lru_cache(maxsize=4096)(self._outcome_of)

    def line(self, exchange: Exchange) -> Line | None:
        """Returns the line that a closed exchange adds one to; None when it cannot be attributed.

        It needs an institution of this relay, an operator and an API. Support APIs (지원-101 to -104) have no line.
        PERF: 0.8 us; Line(...) instead of its inner call costs 0.2 more.
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
                SCHEDULED if exchange.api_type == _SCHEDULED_TYPE else ON_DEMAND,
                api_code,
                self._outcome(exchange.status, exchange.rsp_code, exchange.error, exchange.reason),
            ),
        )

    def is_unattributed(self, exchange: Exchange) -> bool:
        """Returns whether an exchange without a line is unattributed: it belongs to no support API."""
        return not exchange.api_code or exchange.api_code in self.api_codes

    def _outcome_of(self, status: int, rsp_code: str, error: str, reason: str) -> str:
        """Returns HTTP status and code.

        An OAuth error takes precedence over the rsp_code of its fault: the operator reads the error. Neither code nor
        fault is a success: tokens and pages.
        """
        code = error or rsp_code
        if not code:
            return f"{status}_{SUCCESS if status in _GOOD_STATUSES and not reason else NONE}"
        if code not in self._codes or (code in SUCCESS_CODES and status not in _GOOD_STATUSES):
            return f"{status}_{OTHER}"
        return f"{status}_{code}"


def day_of(exchange: Exchange) -> str:
    """Returns the day in Korea (YYYYMMDD) on which a closed exchange ended."""
    return _day_and_slot(ended_at(exchange) // _HOUR_S)[0]


def ended_at(exchange: Exchange) -> int:
    """Returns the epoch second in which a closed exchange ended."""
    return int(exchange.received + exchange.total)


@lru_cache(maxsize=64)
def _day_and_slot(hour: int) -> tuple[str, str]:
    """Returns day (YYYYMMDD) and slot in Korea of an hour since the epoch; both begin with whole hours (첨부11).

    PERF: one look-up for everything that ends in the same hour.
    """
    korean = datetime.fromtimestamp(hour * _HOUR_S, KOREA)
    return format_day(korean.date()), SLOTS[0 if korean.hour in _DAYTIME else 1]


def has_responded(exchange: Exchange) -> bool | None:
    """Returns whether the institution answered (True) or failed (False); None when it was not involved.

    Answers of the authority say nothing about institutions: only data calls have an industry.
    """
    if not exchange.industry:
        return None
    if exchange.reason in _INSTITUTION_FAULTS:
        return False
    status = exchange.provider_status
    return status < _ERROR if status else None


def find_single_services(callers: Callers) -> Mapping[str, str]:
    """Returns the client_id of each operator with exactly one service, by org_code.

    A call refused before its token named the service must belong to that one.
    """
    return {
        caller.operator.org_code: next(iter(caller.client_ids)) for caller in callers.all if len(caller.client_ids) == 1
    }
