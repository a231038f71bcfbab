"""지원-103: consents of a customer, by institution and by operator."""

import logging
from datetime import date

import pytest

BANK, CARD, ONE, TWO = "ZBAA000001", "ZCDA000001", "ZOPA000001", "ZOPB000001"
NO_MEMBER = {"rsp_code": "00000", "rsp_msg": "성공", "is_member": "false"}
AT_BANK = {
    "org_code": BANK,
    "scope": "bank.list bank.deposit",
    "consent_date": "20270115",
    "consent_end_date": "20271231",
}
AT_CARD = AT_BANK | {"org_code": CARD, "scope": "card.list card.card"}


def texts(value):
    """Returns all values that are neither lists nor objects."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    return [text for each in value for text in texts(each)] if isinstance(value, list) else [value]


async def test_consents_are_grouped_by_service_as_texts(support_client):
    await support_client.consent()
    reply = await support_client.consents_of()
    service = {"client_id": "ZOPA000001SVC01", "consent_cnt": "1", "consent_list": [AT_BANK]}
    fields = {"is_member": "true", "service_cnt": "1", "service_list": [service]}
    assert (reply.status, reply.body) == (200, {"rsp_code": "00000", "rsp_msg": "성공"} | fields)
    assert {type(text) for text in texts(reply.body)} == {str}
    assert (reply.noted["api-code"], reply.noted["provider"]) == ("S103", BANK)


async def list_services(support_client, org_code, **more):
    """Returns the services for an org_code, with the org_codes of their consents."""
    body = (await support_client.consents_of(org_code, **more)).body
    rows = body.get("service_list", [])
    assert body.get("service_cnt", "0") == str(len(rows))
    assert [row["consent_cnt"] for row in rows] == [str(len(row["consent_list"])) for row in rows]
    return {row["client_id"]: [consent["org_code"] for consent in row["consent_list"]] for row in rows}


async def test_institutions_and_operators_get_their_consents(support_client):
    await support_client.consent()
    await support_client.consent(provider=CARD)
    await support_client.consent(number=2)
    await support_client.consent(operator=TWO)
    first, second, third = "ZOPA000001SVC01", "ZOPA000001SVC02", "ZOPB000001SVC01"
    assert await list_services(support_client, BANK) == {first: [BANK], second: [BANK], third: [BANK]}
    assert await list_services(support_client, CARD) == {first: [CARD]}
    assert await list_services(support_client, ONE) == {first: [BANK, CARD], second: [BANK]}
    assert await list_services(support_client, TWO) == {third: [BANK]}


async def test_scopes_are_those_of_the_institutions_industry(support_client):
    await support_client.consent()
    await support_client.consent(provider=CARD)
    (service,) = (await support_client.consents_of(ONE)).body["service_list"]
    assert service["consent_list"] == [AT_BANK, AT_CARD]


async def test_the_day_of_a_consent_is_a_korean_day(support_client):
    await support_client.consent(given=1_799_938_799)  # a second before midnight in Korea
    (service,) = (await support_client.consents_of()).body["service_list"]
    assert service["consent_list"][0]["consent_date"] == "20270114"


async def test_consents_of_other_customers_are_not_listed(support_client):
    await support_client.consent(ci="A" * 86 + "==")
    assert (await support_client.consents_of()).body == NO_MEMBER
    assert (await support_client.consents_of(ci="A" * 86 + "==")).body["is_member"] == "true"


async def test_ended_consents_are_not_listed(support_client):
    await support_client.consent(end=date(2027, 1, 15))
    assert (await support_client.consents_of()).body["is_member"] == "true"
    support_client.clock = lambda: 1_800_000_000 + 7 * 3600  # Saturday in Korea
    assert (await support_client.consents_of()).body == NO_MEMBER


async def test_replaced_consents_are_not_listed(support_client):
    await support_client.consent(end=date(2027, 6, 30))
    await support_client.consent()
    (service,) = (await support_client.consents_of()).body["service_list"]
    assert [consent["consent_end_date"] for consent in service["consent_list"]] == ["20271231"]


async def test_consents_at_former_members_are_not_listed(support_client):
    await support_client.consent(provider="ZBAB000001")
    assert (await support_client.consents_of(ONE)).body == NO_MEMBER


@pytest.mark.parametrize("org_code", ["ZBAA999999", "ZRLA000001", "ZPTL000001"])
async def test_an_unknown_org_code_is_40303(support_client, org_code):
    reply = await support_client.consents_of(org_code)
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (403, "40303", "provider_unknown")


async def test_an_operator_is_not_noted_as_institution(support_client):
    reply = await support_client.consents_of(ONE)
    assert (reply.body, "provider" in reply.noted) == (NO_MEMBER, False)


async def test_an_unavailable_ledger_is_50001(support_client, break_ledger):
    break_ledger()
    reply = await support_client.consents_of()
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (500, "50001", "ledger_unreachable")


async def test_the_customer_is_in_no_log_error_or_note(support_client, monkeypatch, caplog):
    async def broken(ci, **_):
        raise RuntimeError(ci)

    ci = "PRIVATE" + "A" * 79 + "=="
    with caplog.at_level(logging.DEBUG):
        replies = [await support_client.consents_of(ci=ci), await support_client.consents_of("ZBAA999999", ci)]
        replies.append(await support_client.consents_of(ci=f"{ci}!"))
        monkeypatch.setattr(support_client.ledger, "list_consents_in_force", broken)
        replies.append(await support_client.consents_of(ci=ci))
    assert [reply.status for reply in replies] == [200, 403, 400, 500]
    ours = [record.getMessage() for record in caplog.records if record.name != "aiosqlite"]
    assert "PRIVATE" not in f"{ours} {[(reply.body, reply.headers) for reply in replies]}"
    assert any("RuntimeError" in line for line in ours)
