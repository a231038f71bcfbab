"""지원-102: availability of an institution."""

import logging

import pytest

from relay.domain.statistics import Batch, Pulse

SATURDAY_NIGHT = 1_800_000_000 + 10 * 3600  # 3 o'clock in Korea, the bank's maintenance


async def store_pulse(support_client, pulse, org_code="ZBAA000001"):
    await support_client.statistics.take_batch(Batch("one", {}, {org_code: pulse}), 1_800_000_000)


async def test_an_answer_has_three_texts(support_client):
    reply = await support_client.status_of()
    assert (reply.status, reply.body) == (200, {"rsp_code": "00000", "rsp_msg": "성공", "availability": "01"})
    assert (reply.noted["api-code"], reply.noted["provider"]) == ("S102", "ZBAA000001")


@pytest.mark.parametrize(("is_reachable", "availability"), [(True, "01"), (False, "02"), (None, "99")])
async def test_without_calls_a_probe_determines_the_availability(support_client, is_reachable, availability):
    support_client.probe.is_reachable = is_reachable
    assert (await support_client.status_of()).body["availability"] == availability
    assert support_client.probe.probed == ["ZBAA000001"]


@pytest.mark.parametrize(
    ("pulse", "availability"),
    [(Pulse(1_799_999_990, 0, 0), "01"), (Pulse(1_799_999_000, 1_799_999_990, 3), "02")],
)
async def test_recent_calls_determine_the_availability(support_client, pulse, availability):
    await store_pulse(support_client, pulse)
    assert (await support_client.status_of()).body["availability"] == availability
    assert support_client.probe.probed == []


async def test_calls_of_another_institution_do_not_matter(support_client):
    await store_pulse(support_client, Pulse(1_799_999_000, 1_799_999_990, 3), "ZCDA000001")
    assert (await support_client.status_of()).body["availability"] == "01"


async def test_maintenance_takes_precedence_over_calls(support_client):
    await store_pulse(support_client, Pulse(SATURDAY_NIGHT - 5, 0, 0))
    support_client.clock = lambda: SATURDAY_NIGHT
    assert (await support_client.status_of()).body["availability"] == "03"
    assert (await support_client.status_of("ZCDA000001")).body["availability"] == "01"
    assert support_client.probe.probed == ["ZCDA000001"]


@pytest.mark.parametrize(("is_reachable", "availability"), [(True, "01"), (False, "02"), (None, "99")])
async def test_without_the_ledger_a_probe_determines_the_availability(
    support_client, break_ledger, caplog, is_reachable, availability
):
    break_ledger()
    support_client.probe.is_reachable = is_reachable
    with caplog.at_level(logging.WARNING):
        reply = await support_client.status_of()
    assert (reply.status, reply.body["availability"]) == (200, availability)
    assert caplog.messages == []  # the ledger logs its outage itself


@pytest.mark.parametrize("org_code", ["ZBAA999999", "ZOPA000001", "ZRLA000001", "ZPTL000001"])
async def test_an_unknown_institution_is_40303(support_client, org_code):
    reply = await support_client.status_of(org_code)
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (403, "40303", "provider_unknown")
    assert "provider" not in reply.noted
