"""지원-103: what a customer consented to, by institution and by operator."""

import logging
from datetime import date

import pytest

BANK, CARD, ONE, TWO = "ZBAA000001", "ZCDA000001", "ZOPA000001", "ZOPB000001"
NOBODY = {"rsp_code": "00000", "rsp_msg": "성공", "is_member": "false"}
AT_BANK = {
    "org_code": BANK,
    "scope": "bank.list bank.deposit",
    "consent_date": "20270115",
    "consent_end_date": "20271231",
}
AT_CARD = AT_BANK | {"org_code": CARD, "scope": "card.list card.card"}


def texts(value):
    """Every value that is no list and no object."""
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    return [text for each in value for text in texts(each)] if isinstance(value, list) else [value]


async def test_a_consent_is_told_by_service_as_texts(desk):
    await desk.consent()
    reply = await desk.consents_of()
    service = {"client_id": "ZOPA000001SVC01", "consent_cnt": "1", "consent_list": [AT_BANK]}
    told = {"is_member": "true", "service_cnt": "1", "service_list": [service]}
    assert (reply.status, reply.body) == (200, {"rsp_code": "00000", "rsp_msg": "성공"} | told)
    assert {type(text) for text in texts(reply.body)} == {str}
    assert (reply.noted["api-code"], reply.noted["provider"]) == ("S103", BANK)


async def told(desk, org_code, **more):
    """Services asked for by an org_code, with the org_codes of their consents."""
    body = (await desk.consents_of(org_code, **more)).body
    rows = body.get("service_list", [])
    assert body.get("service_cnt", "0") == str(len(rows))
    assert [row["consent_cnt"] for row in rows] == [str(len(row["consent_list"])) for row in rows]
    return {row["client_id"]: [one["org_code"] for one in row["consent_list"]] for row in rows}


async def test_an_institution_asks_for_itself_and_an_operator_for_all_its_institutions(desk):
    await desk.consent()
    await desk.consent(provider=CARD)
    await desk.consent(number=2)
    await desk.consent(operator=TWO)
    one, other, two = "ZOPA000001SVC01", "ZOPA000001SVC02", "ZOPB000001SVC01"
    assert await told(desk, BANK) == {one: [BANK], other: [BANK], two: [BANK]}
    assert await told(desk, CARD) == {one: [CARD]}
    assert await told(desk, ONE) == {one: [BANK, CARD], other: [BANK]}
    assert await told(desk, TWO) == {two: [BANK]}


async def test_the_scopes_are_those_of_each_institutions_industry(desk):
    await desk.consent()
    await desk.consent(provider=CARD)
    (service,) = (await desk.consents_of(ONE)).body["service_list"]
    assert service["consent_list"] == [AT_BANK, AT_CARD]


async def test_the_day_of_a_consent_is_koreas(desk):
    await desk.consent(given=1_799_938_799)  # a second before midnight in Korea
    (service,) = (await desk.consents_of()).body["service_list"]
    assert service["consent_list"][0]["consent_date"] == "20270114"


async def test_another_customers_consents_are_not_told(desk):
    await desk.consent(ci="A" * 86 + "==")
    assert (await desk.consents_of()).body == NOBODY
    assert (await desk.consents_of(ci="A" * 86 + "==")).body["is_member"] == "true"


async def test_what_is_over_is_not_told(desk):
    await desk.consent(end=date(2027, 1, 15))
    assert (await desk.consents_of()).body["is_member"] == "true"
    desk.clock = lambda: 1_800_000_000 + 7 * 3600  # Saturday in Korea
    assert (await desk.consents_of()).body == NOBODY


async def test_what_was_replaced_is_not_told_twice(desk):
    await desk.consent(end=date(2027, 6, 30))
    await desk.consent()
    (service,) = (await desk.consents_of()).body["service_list"]
    assert [one["consent_end_date"] for one in service["consent_list"]] == ["20271231"]


async def test_consents_at_who_is_no_member_any_more_are_not_told(desk):
    await desk.consent(provider="ZBAB000001")
    assert (await desk.consents_of(ONE)).body == NOBODY


@pytest.mark.parametrize("org_code", ["ZBAA999999", "ZRLA000001", "ZPTL000001"])
async def test_who_is_neither_member_nor_operator_is_40303(desk, org_code):
    reply = await desk.consents_of(org_code)
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (403, "40303", "provider_unknown")


async def test_an_operator_asked_for_is_not_recorded_as_institution(desk):
    reply = await desk.consents_of(ONE)
    assert (reply.body, "provider" in reply.noted) == (NOBODY, False)


async def test_a_ledger_that_is_away_is_50001(desk, away):
    away()
    reply = await desk.consents_of()
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (500, "50001", "ledger_unreachable")


async def test_the_customer_stands_in_no_log_no_error_and_no_note(desk, monkeypatch, caplog):
    async def broken(ci, **_):
        raise RuntimeError(ci)

    ci = "PRIVATE" + "A" * 79 + "=="
    with caplog.at_level(logging.DEBUG):
        replies = [await desk.consents_of(ci=ci), await desk.consents_of("ZBAA999999", ci)]
        replies.append(await desk.consents_of(ci=f"{ci}!"))
        monkeypatch.setattr(desk.ledger, "consents_in_force", broken)
        replies.append(await desk.consents_of(ci=ci))
    assert [reply.status for reply in replies] == [200, 403, 400, 500]
    ours = [record.getMessage() for record in caplog.records if record.name != "aiosqlite"]
    assert "PRIVATE" not in f"{ours} {[(reply.body, reply.headers) for reply in replies]}"
    assert any("RuntimeError" in line for line in ours)
