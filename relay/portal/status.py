"""지원-102: how an institution is (정상, 장애, 시스템 점검, 기타)."""

from collections.abc import Mapping

from relay.domain.ledger import Unreachable
from relay.domain.statistics import Pulse
from relay.policy.call.maintenance import in_maintenance
from relay.policy.settings.directory import Provider
from relay.policy.statistics.availability import Availability, by_probe, by_pulse
from relay.portal.services import Asked, Support


async def status(support: Support, asked: Asked) -> Mapping[str, object]:
    """The availability: by its own calendar, by how calls met it lately, else by whether it can be reached.

    A ledger that is away does not stop this. Raises Refusal (40303).
    """
    member = asked.office.member(asked.values["org_code"], asked.note)
    return {"availability": str(await _availability(support, asked, member))}


async def _availability(support: Support, asked: Asked, member: Provider) -> Availability:
    if in_maintenance(asked.office.calendars.get(member.org_code), asked.now):
        return Availability.MAINTENANCE
    pulse = await _pulse(support, member.org_code)
    return by_pulse(pulse, asked.now) or by_probe(await support.probe.reaches(member))


async def _pulse(support: Support, org_code: str) -> Pulse | None:
    try:
        return await support.statistics.pulse(org_code)
    except Unreachable:  # the ledger's outage is logged
        return None
