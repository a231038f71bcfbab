"""The registry is asked for, judged, and taken whole or left."""

import asyncio
import threading
from dataclasses import replace

import pytest
from simulated.sync import FIRST, NOW, SECOND, SERVICES, THIRD, body, org, services_of

from relay.domain.jobs import Superseded
from relay.domain.portal import PortalAway, PortalRefused
from relay.jobs import sync
from relay.jobs.sync import SyncFailed
from relay.policy.settings.portal import SyncLimits


async def test_the_first_sync_asks_for_everything_and_takes_it(room):
    assert await room.run() == "taken: organisations 2 new, 0 changed, 0 gone; services 2 new, 0 changed, 0 gone"
    assert room.portal.asked == [("002", "0"), ("003", "0")]
    registry = room.book.now
    assert set(registry.organisations) == {"OPER000001", "OPER000002"}
    assert (registry.orgs_timestamp, registry.services_timestamp, registry.synced_at) == (FIRST, FIRST, NOW)
    one = registry.services["client1x0"]
    assert (one.operator, one.secret_hash, one.secret_mark) == (
        "OPER000001",
        "$hash$2$0",
        room.hasher.mark("client1x0", "secretOfOperator1"),
    )
    assert "secretOfOperator1" not in str(registry)


async def test_the_next_sync_asks_for_what_changed_since(known):
    assert await known.run(now=NOW + 100) == "nothing changed"
    assert known.portal.asked == [("002", FIRST), ("003", FIRST)]
    assert known.book.written == ["take"]
    assert (known.book.now.orgs_timestamp, known.book.now.synced_at) == (SECOND, NOW + 100)


async def test_a_full_sync_asks_for_everything_whatever_was_heard(known):
    known.portal.orgs, known.portal.services_body = body(org(1), org(2)), SERVICES
    assert await known.run(full=True) == "nothing changed"
    assert known.portal.asked == [("002", "0"), ("003", "0")]
    assert known.hasher.hashed_secrets == []


async def test_a_delta_changes_what_it_tells_and_nothing_else(known):
    known.portal.orgs = body(org(1, op_type="M", org_name="새 이름"), org(2, op_type="D"), stamp=SECOND)
    assert await known.run() == "taken: organisations 0 new, 1 changed, 1 gone; services 0 new, 0 changed, 1 gone"
    assert known.book.now.organisations["OPER000001"].name == "새 이름"
    assert set(known.book.now.services) == {"client1x0"}


@pytest.mark.parametrize("full", [True, False])
async def test_who_goes_goes_though_its_services_are_still_told(known, full):
    known.portal.orgs = body(org(1), org(2, op_type="D"), stamp=SECOND)
    known.portal.services_body = SERVICES
    assert await known.run(full=full) == (
        "taken: organisations 0 new, 0 changed, 1 gone; services 0 new, 0 changed, 1 gone; "
        "1 service of organisations that go or are unknown left out"
    )
    assert set(known.book.now.services) == {"client1x0"}


async def test_services_of_nobody_stop_no_sync_and_are_asked_for_when_somebody_comes(known):
    strange = services_of(9, "secretOfNobody0000", "secretOfNobody0001")
    known.portal.services_body = body(strange, stamp=SECOND)
    assert await known.run() == "nothing changed; 2 services of organisations that go or are unknown left out"
    assert known.hasher.hashed_secrets == []
    known.portal.orgs = body(org(9), stamp=THIRD)
    known.portal.services_body = body(*SERVICES["org_list"], strange, stamp=THIRD)
    assert await known.run() == "taken: organisations 1 new, 0 changed, 0 gone; services 2 new, 0 changed, 0 gone"
    assert known.portal.asked[-1] == ("003", "0")


async def test_only_a_secret_that_changed_is_hashed(known):
    known.portal.services_body = body(services_of(1, "secretOfOperator1"), services_of(2, "newSecretOfOperator2"))
    before = known.book.now.services
    await known.run(full=False)
    assert known.hasher.hashed_secrets == ["newSecretOfOperator2"]
    assert known.book.now.services["client1x0"] == before["client1x0"]
    assert known.book.now.services["client2x0"].secret_hash != before["client2x0"].secret_hash


async def test_for_a_newcomer_that_calls_all_services_are_asked_for(known):
    known.portal.orgs = body(org(3), org(4, org_type="06"), stamp=SECOND)
    known.portal.services_body = body(*SERVICES["org_list"], services_of(3, "secretOfOperator3"))
    assert await known.run() == "taken: organisations 2 new, 0 changed, 0 gone; services 1 new, 0 changed, 0 gone"
    known.portal.orgs = body(org(5, org_type="06"), stamp=THIRD)
    await known.run()
    assert known.portal.asked == [("002", FIRST), ("003", "0"), ("002", SECOND), ("003", FIRST)]


@pytest.mark.parametrize("stamp", ["20231231000000", "0", None, ""])
async def test_after_a_timestamp_that_goes_back_or_is_none_everything_is_asked_for(known, stamp):
    known.portal.orgs = body(stamp=stamp)
    await known.run()
    known.portal.orgs = body(org(1), org(2), stamp=THIRD)
    assert await known.run() == "nothing changed"
    assert known.portal.asked[2:] == [("002", "0"), ("003", SECOND)]
    assert known.book.now.orgs_timestamp == THIRD


FAR_AHEAD = "the portal's search_timestamp is more than a day ahead: everything is asked for again"


@pytest.mark.parametrize("ahead", ["orgs", "services_body"])
async def test_a_timestamp_far_ahead_is_not_gone_by(known, ahead):
    """Who asks from the year 2099 is told that nothing changed, for ever."""
    setattr(known.portal, ahead, body(stamp="20991231235959"))
    assert await known.run() == f"nothing changed; {FAR_AHEAD}"
    known.portal.orgs = body(org(1), org(2), stamp="20991231235959")
    known.portal.services_body = SERVICES | {"search_timestamp": "20991231235959"}
    known.portal.asked.clear()
    assert await known.run(full=True) == f"nothing changed; {FAR_AHEAD}"
    assert await known.run() == f"nothing changed; {FAR_AHEAD}"
    assert {since for _, since in known.portal.asked} == {"0"}
    known.portal.orgs, known.portal.services_body = body(org(1), org(2), stamp=SECOND), SERVICES
    assert await known.run() == "nothing changed"
    assert (known.book.now.orgs_timestamp, known.book.now.services_timestamp) == (SECOND, FIRST)


@pytest.mark.parametrize(
    ("orgs", "services", "asked", "words"),
    [
        (
            body(org(1, org_type="08")),
            body(),
            1,
            "지원-002 is not fit to be taken: 1 problem:\norg_list[0] (OPER000001).org_type: is none",
        ),
        (body(org(1), org_cnt="2"), body(), 1, "org_cnt: says 2, org_list holds 1"),
        (
            body(org(1)),
            body(services_of(1, "secretOf!")),
            2,
            "지원-003 is not fit to be taken: 1 problem:\norg_list[0]",
        ),
        (PortalAway("지원-002: HTTP 500 (5 of 5 attempts)"), body(), 1, "gave no registry: 지원-002: HTTP 500"),
        (body(org(1)), PortalAway("지원-003: no connection"), 2, "gave no registry: 지원-003: no connection"),
        (body(org(1)), PortalRefused(403, "40301"), 2, "gave no registry: HTTP 403, rsp_code 40301"),
    ],
)
async def test_what_is_not_fit_is_told_and_nothing_is_written(known, orgs, services, asked, words):
    before = known.book.now
    known.portal.orgs, known.portal.services_body = orgs, services
    assert words in await known.failed()
    assert len(known.portal.asked) == asked
    assert (known.book.now, known.book.written) == (before, [])


async def test_a_report_tells_a_hundred_problems_and_counts_all(room):
    room.portal.orgs = body(*(org(number, serial_num=None) for number in range(150)))
    said = (await room.failed()).splitlines()
    assert said[0] == "지원-002 is not fit to be taken: 150 problems, the first 100:"
    assert said[1] == "org_list[0] (OPER000000).serial_num: is missing (org_type 03)"
    assert len(said) == 101


async def test_a_leader_that_was_superseded_writes_nothing(known):
    known.book.fence, before = 2, known.book.now
    with pytest.raises(Superseded):
        await known.run(fence=1)
    assert known.book.now == before


async def test_syncs_take_turns(known):
    """One that heard earlier must not undo what another took since."""
    known.portal.orgs = body(org(1), org(2), stamp=SECOND)
    known.portal.services_body = SERVICES
    await asyncio.gather(known.run(full=True), known.run(), known.run(full=True))
    assert [api for api, _ in known.portal.asked] == ["002", "003"] * 3
    assert known.portal.asked[2:4] == [("002", SECOND), ("003", FIRST)]


async def test_a_look_ahead_tells_the_whole_difference_and_writes_nothing(known):
    known.portal.orgs = body(org(1))
    known.portal.services_body = body(services_of(1, "secretOfOperator1"))
    changes = await known.sync.ahead(NOW)
    assert known.portal.asked == [("002", "0"), ("003", "0")]
    assert (changes.organisations, changes.services) == ({"OPER000002": None}, {"client2x0": None})
    assert known.book.written == []


async def test_the_loop_is_not_what_reads_long_lists(known, monkeypatch):
    seen = []
    for name in ("read_organisations", "read_services", "changes_of", "judge"):
        real = getattr(sync, name)

        def noted(*given, real=real, name=name):
            seen.append((name, threading.current_thread() is threading.main_thread()))
            return real(*given)

        monkeypatch.setattr(sync, name, noted)
    known.portal.orgs = body(org(1, op_type="M", org_name="새 이름"), stamp=SECOND)
    await known.run()
    assert seen == [(name, False) for name in ("read_organisations", "read_services", "changes_of", "judge")]


async def test_a_changed_secret_is_compared_with_no_hash(known):
    """Its mark was made with the key of today, so another mark is another secret."""
    known.portal.services_body = body(services_of(1, "newSecretOfOperator1"), stamp=SECOND)
    await known.run()
    assert known.hasher.compared == []


async def test_more_new_secrets_than_the_limit_are_neither_hashed_nor_taken(known):
    before = known.book.now
    secrets = [f"secretOfMany{number}" for number in range(51)]
    known.portal.services_body = body(services_of(1, *secrets), services_of(2, *secrets), stamp=SECOND)
    limited = replace(known.sync, limits=SyncLimits(secrets=101))
    with pytest.raises(SyncFailed, match=r"102 client secrets are new, 101 at most \(portal.limits.secrets\)"):
        await limited.run(full=False, fence=1, now=NOW)
    assert (known.book.now, known.book.written) == (before, [])
    assert (known.hasher.hashed_secrets, known.hasher.compared) == ([], [])


async def test_a_look_ahead_hashes_nothing(known):
    known.portal.orgs = body(org(1), org(2))
    known.portal.services_body = body(services_of(1, "newSecretOfOperator1"), SERVICES["org_list"][1])
    changes = await known.sync.ahead(NOW)
    assert list(changes.services) == ["client1x0"]
    assert known.hasher.hashed_secrets == []


async def test_a_service_without_a_mark_is_hashed_anew(known):
    one = replace(known.book.now.services["client1x0"], secret_mark=b"")
    known.book.now = replace(known.book.now, services={"client1x0": one})
    known.portal.services_body = body(services_of(1, "secretOfOperator1"), stamp=SECOND)
    await known.run()
    assert known.hasher.hashed_secrets == ["secretOfOperator1"]
