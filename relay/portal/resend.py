"""지원-104: the portal requests an institution's statistics of a week again. The leader sends them later."""

from collections.abc import Mapping
from typing import Final

from relay.domain.fault import FAULTS, Refusal
from relay.domain.statistics import ON_DEMAND, SCHEDULED
from relay.policy.statistics.weeks import MAX_WEEKS, is_sunday, weeks_back
from relay.portal.dependencies import PortalRequest, SupportDependencies

_PROVIDER: Final = "03"
"""기관구분 of 지원-104 (not the table of 지원-002): 정보제공자, the only type that a relay counts for."""

_TYPES: Final = {"0": (SCHEDULED, ON_DEMAND), SCHEDULED: (SCHEDULED,), ON_DEMAND: (ON_DEMAND,)}


async def request_resend(support: SupportDependencies, request: PortalRequest) -> Mapping[str, object]:
    """Records the request. Raises Refusal (40001, 40303), LedgerDown."""
    values, week = request.values, request.values["inquiry_date"]
    if values["org_type"] != _PROVIDER:
        raise Refusal(FAULTS["parameter_malformed"], f"org_type ({_PROVIDER})")
    if not is_sunday(week) or not 0 <= weeks_back(week, request.now) < MAX_WEEKS:
        detail = f"inquiry_date (최근 {MAX_WEEKS}주의 전송 기준일자인 일요일)"
        raise Refusal(FAULTS["parameter_malformed"], detail)
    member = request.settings.member(values["org_code"], request.note)
    await support.statistics.request_resend(week, member.org_code, _TYPES[values["type"]], int(request.now))
    return {}
