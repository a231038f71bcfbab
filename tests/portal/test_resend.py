"""지원-104: which weeks are sent again, for which institutions."""

import pytest

DONE = {"rsp_code": "00000", "rsp_msg": "성공"}


async def list_requested(support_client):
    return [
        (sending.week, sending.provider, sending.type)
        for sending in await support_client.statistics.requested_sendings()
    ]


@pytest.mark.parametrize(("kind", "types"), [("0", ["1", "2"]), ("1", ["1"]), ("2", ["2"])])
async def test_a_week_is_requested_by_type(support_client, kind, types):
    reply = await support_client.again(type=kind)
    assert (reply.status, reply.body) == (200, DONE)
    assert (reply.noted["api-code"], reply.noted["provider"]) == ("S104", "ZBAA000001")
    assert await list_requested(support_client) == [("20270110", "ZBAA000001", type_) for type_ in types]


async def test_a_week_requested_twice_is_sent_once(support_client):
    for _ in range(2):
        assert (await support_client.again()).body == DONE
    assert len(await list_requested(support_client)) == 2


@pytest.mark.parametrize(
    ("now", "week", "accepted"),
    [
        (1_800_000_000, "20270110", True),  # Friday, 2027-01-15
        (1_800_000_000, "20270117", False),  # not over
        (1_800_111_599, "20270117", False),  # Saturday's last second in Korea
        (1_800_111_600, "20270117", True),
        (1_800_000_000, "20260111", True),  # the 53rd week back
        (1_800_000_000, "20260104", False),
        (1_800_000_000, "20270111", False),  # a Monday
        (1_800_000_000, "99991226", False),
        (1_800_000_000, "00010107", False),
    ],
)
async def test_complete_weeks_of_the_last_53_are_accepted(support_client, now, week, accepted):
    await support_client.bearer()
    support_client.clock = lambda: now
    reply = await support_client.again(inquiry_date=week)
    assert (reply.status, reply.body["rsp_code"]) == ((200, "00000") if accepted else (400, "40001"))
    assert bool(await list_requested(support_client)) is accepted
    assert accepted or "inquiry_date" in reply.body["rsp_msg"]


@pytest.mark.parametrize(
    "change",
    [
        {"org_type": "01"},
        {"org_type": "02"},
        {"org_type": "04"},
        {"org_type": None},
        {"type": "3"},
        {"type": ""},
        {"type": None},
        {"inquiry_date": "20270230"},
        {"inquiry_date": "2027-01-10"},
        {"inquiry_date": None},
        {"org_code": None},
        {"org_code": "ZBAA0000012"},
    ],
)
async def test_an_invalid_parameter_is_40001(support_client, change):
    reply = await support_client.again(**change)
    assert (reply.status, reply.body["rsp_code"]) == (400, "40001")
    assert next(iter(change)) in reply.body["rsp_msg"]
    assert await list_requested(support_client) == []


@pytest.mark.parametrize("org_code", ["ZBAA999999", "ZOPA000001"])
async def test_an_unknown_institution_is_40303(support_client, org_code):
    reply = await support_client.again(org_code=org_code)
    assert (reply.status, reply.body["rsp_code"]) == (403, "40303")


async def test_an_unavailable_ledger_is_50001(support_client, break_ledger):
    break_ledger()
    reply = await support_client.again()
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (500, "50001", "ledger_unreachable")
