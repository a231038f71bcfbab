"""지원-102: availability of an institution (정상, 장애, 시스템 점검, 기타)."""

from collections.abc import Mapping

from relay.domain.ledger import LedgerDown
from relay.domain.statistics import Pulse
from relay.policy.call.maintenance import is_in_maintenance
from relay.policy.settings.directory import Provider
from relay.policy.statistics.availability import Availability, by_probe, by_pulse
from relay.portal.dependencies import PortalRequest, SupportDependencies


async def get_status(support: SupportDependencies, request: PortalRequest) -> Mapping[str, object]:
    """Returns the availability: by its maintenance calendar, else by recent calls, else by a probe.

    An unavailable ledger does not prevent this. Raises Refusal (40303).
    """
    member = request.settings.member(request.values["org_code"], request.note)
    return {"availability": str(await _availability(support, request, member))}


async def _availability(support: SupportDependencies, request: PortalRequest, member: Provider) -> Availability:
    if is_in_maintenance(request.settings.calendars.get(member.org_code), request.now):
        return Availability.MAINTENANCE
    pulse = await _pulse(support, member.org_code)
    return by_pulse(pulse, request.now) or by_probe(await support.probe.reaches(member))


async def _pulse(support: SupportDependencies, org_code: str) -> Pulse | None:
    try:
        return await support.statistics.pulse(org_code)
    except LedgerDown:  # the ledger logs its outage itself
        return None
