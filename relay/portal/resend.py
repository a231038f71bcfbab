"""지원-104: the portal wants an institution's statistics of a week again. Answered at once, sent by the leader."""

from collections.abc import Mapping
from typing import Final

from relay.domain.fault import FAULTS, Refusal
from relay.domain.statistics import ON_DEMAND, SCHEDULED
from relay.policy.statistics.weeks import WEEKS_MOST, is_sunday, weeks_back
from relay.portal.services import Asked, Support

_PROVIDER: Final = "03"
"""기관구분 of 지원-104, another table than that of 지원-002: 정보제공자, the only ones a relay counts for."""

_TYPES: Final = {"0": (SCHEDULED, ON_DEMAND), SCHEDULED: (SCHEDULED,), ON_DEMAND: (ON_DEMAND,)}


async def resend(support: Support, asked: Asked) -> Mapping[str, object]:
    """Write down that the week is wanted again. Raises Refusal (40001, 40303), Unreachable."""
    values, week = asked.values, asked.values["inquiry_date"]
    if values["org_type"] != _PROVIDER:
        raise Refusal(FAULTS["parameter_malformed"], f"org_type ({_PROVIDER})")
    if not is_sunday(week) or not 0 <= weeks_back(week, asked.now) < WEEKS_MOST:
        detail = f"inquiry_date (최근 {WEEKS_MOST}주의 전송 기준일자인 일요일)"
        raise Refusal(FAULTS["parameter_malformed"], detail)
    member = asked.office.member(values["org_code"], asked.note)
    await support.statistics.ask_again(week, member.org_code, _TYPES[values["type"]], int(asked.now))
    return {}
