"""지원-104: which weeks are sent again, for whom, and which are not."""

import pytest

DONE = {"rsp_code": "00000", "rsp_msg": "성공"}


async def wanted(desk):
    return [(one.week, one.provider, one.type) for one in await desk.statistics.asked_again()]


@pytest.mark.parametrize(("kind", "types"), [("0", ["1", "2"]), ("1", ["1"]), ("2", ["2"])])
async def test_a_week_is_wanted_again_by_type(desk, kind, types):
    reply = await desk.again(type=kind)
    assert (reply.status, reply.body) == (200, DONE)
    assert (reply.noted["api-code"], reply.noted["provider"]) == ("S104", "ZBAA000001")
    assert await wanted(desk) == [("20270110", "ZBAA000001", one) for one in types]


async def test_a_week_that_is_wanted_twice_is_sent_once(desk):
    for _ in range(2):
        assert (await desk.again()).body == DONE
    assert len(await wanted(desk)) == 2


@pytest.mark.parametrize(
    ("now", "week", "taken"),
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
async def test_weeks_that_are_over_and_not_older_than_53_weeks_are_taken(desk, now, week, taken):
    await desk.bearer()
    desk.clock = lambda: now
    reply = await desk.again(inquiry_date=week)
    assert (reply.status, reply.body["rsp_code"]) == ((200, "00000") if taken else (400, "40001"))
    assert bool(await wanted(desk)) is taken
    assert taken or "inquiry_date" in reply.body["rsp_msg"]


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
async def test_what_the_standard_does_not_have_is_40001(desk, change):
    reply = await desk.again(**change)
    assert (reply.status, reply.body["rsp_code"]) == (400, "40001")
    assert next(iter(change)) in reply.body["rsp_msg"]
    assert await wanted(desk) == []


@pytest.mark.parametrize("org_code", ["ZBAA999999", "ZOPA000001"])
async def test_who_is_no_member_is_40303(desk, org_code):
    reply = await desk.again(org_code=org_code)
    assert (reply.status, reply.body["rsp_code"]) == (403, "40303")


async def test_a_ledger_that_is_away_is_50001(desk, away):
    away()
    reply = await desk.again()
    assert (reply.status, reply.body["rsp_code"], reply.reason) == (500, "50001", "ledger_unreachable")
