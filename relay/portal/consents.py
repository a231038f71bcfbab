"""지원-103: what one customer consented to, at an institution or for an operator. Optional for relays (core 2.2)."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from relay.domain.authorization.consent import KOREA, Consent, scope_at
from relay.domain.fault import FAULTS, Refusal
from relay.portal.services import Asked, Support


async def consents(support: Support, asked: Asked) -> Mapping[str, object]:
    """Whether the customer has consents that hold here, and which, by service.

    An institution's org_code asks for those at it, an operator's for those it got at all institutions of this relay.
    Raises Refusal (40303), Unreachable.
    """
    held = [
        consent
        for consent in await _in_force(support, asked)
        if consent.provider in asked.office.members and consent.particulars.ends_at > asked.now
    ]
    if not held:
        return {"is_member": "false"}
    services: dict[str, list[dict[str, str]]] = {}
    for consent in held:
        industry = asked.office.members[consent.provider].industry
        services.setdefault(consent.client_id, []).append(_told(consent, industry))
    rows = [
        {"client_id": client_id, "consent_cnt": str(len(told)), "consent_list": told}
        for client_id, told in sorted(services.items())
    ]
    return {"is_member": "true", "service_cnt": str(len(rows)), "service_list": rows}


async def _in_force(support: Support, asked: Asked) -> Sequence[Consent]:
    org_code, ci = asked.values["org_code"], asked.values["user_ci"]
    if org_code in asked.office.members:
        asked.note.provider = org_code
        return await support.consents.consents_in_force(ci, provider=org_code)
    if org_code in asked.office.operators:
        return await support.consents.consents_in_force(ci, operator=org_code)
    raise Refusal(FAULTS["provider_unknown"])


def _told(consent: Consent, industry: str) -> dict[str, str]:
    given = datetime.fromtimestamp(consent.given_at, KOREA)
    return {
        "org_code": consent.provider,
        "scope": scope_at(industry, consent.particulars.scopes),
        "consent_date": f"{given:%Y%m%d}",
        "consent_end_date": f"{consent.particulars.end_date:%Y%m%d}",
    }
