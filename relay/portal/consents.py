"""지원-103: consents of one customer, at an institution or for an operator. Optional for relays (core 2.2)."""

from collections.abc import Mapping, Sequence

from relay.domain.authorization.consent import Consent, build_scope
from relay.domain.fault import FAULTS, Refusal
from relay.domain.korea import day_in_korea, format_day
from relay.portal.dependencies import PortalRequest, SupportDependencies


async def list_consents(support: SupportDependencies, request: PortalRequest) -> Mapping[str, object]:
    """Returns whether the customer has consents in force, and which, by service.

    The org_code of an institution selects those at it, that of an operator those at all institutions of this relay.
    Raises Refusal (40303), LedgerDown.
    """
    in_force = [
        consent
        for consent in await _in_force(support, request)
        if consent.provider in request.settings.members and consent.particulars.ends_at > request.now
    ]
    if not in_force:
        return {"is_member": "false"}
    services: dict[str, list[dict[str, str]]] = {}
    for consent in in_force:
        industry = request.settings.members[consent.provider].industry
        services.setdefault(consent.client_id, []).append(_build_entry(consent, industry))
    rows = [
        {"client_id": client_id, "consent_cnt": str(len(entries)), "consent_list": entries}
        for client_id, entries in sorted(services.items())
    ]
    return {"is_member": "true", "service_cnt": str(len(rows)), "service_list": rows}


async def _in_force(support: SupportDependencies, request: PortalRequest) -> Sequence[Consent]:
    org_code, ci = request.values["org_code"], request.values["user_ci"]
    if org_code in request.settings.members:
        request.note.provider = org_code
        return await support.consents.list_consents_in_force(ci, provider=org_code)
    if org_code in request.settings.operators:
        return await support.consents.list_consents_in_force(ci, operator=org_code)
    raise Refusal(FAULTS["provider_unknown"])


def _build_entry(consent: Consent, industry: str) -> dict[str, str]:
    return {
        "org_code": consent.provider,
        "scope": build_scope(industry, consent.particulars.scopes),
        "consent_date": day_in_korea(consent.given_at),
        "consent_end_date": format_day(consent.particulars.end_date),
    }
