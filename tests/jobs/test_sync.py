"""A sync reads the registry, judges it, and applies it whole or not at all."""

import asyncio
import threading
from dataclasses import replace

import pytest
from simulated.sync import FIRST, NOW, SECOND, SERVICES, THIRD, make_body, make_org, make_services

from relay.domain.jobs import Superseded
from relay.domain.portal import PortalDown, PortalRefused
from relay.jobs import sync
from relay.jobs.sync import SyncFailed
from relay.policy.settings.portal import SyncLimits


async def test_the_first_sync_requests_and_applies_everything(fresh):
    assert await fresh.run() == "taken: organisations 2 new, 0 changed, 0 gone; services 2 new, 0 changed, 0 gone"
    assert fresh.portal.requests == [("002", "0"), ("003", "0")]
    registry = fresh.store.now
    assert set(registry.organisations) == {"OPER000001", "OPER000002"}
    assert (registry.orgs_timestamp, registry.services_timestamp, registry.synced_at) == (FIRST, FIRST, NOW)
    service = registry.services["client1x0"]
    assert (service.operator, service.secret_hash, service.secret_mark) == (
        "OPER000001",
        "$hash$2$0",
        fresh.hasher.mark("client1x0", "secretOfOperator1"),
    )
    assert "secretOfOperator1" not in str(registry)


async def test_the_next_sync_requests_changes(known):
    assert await known.run(now=NOW + 100) == "nothing changed"
    assert known.portal.requests == [("002", FIRST), ("003", FIRST)]
    assert known.store.written == ["take"]
    assert (known.store.now.orgs_timestamp, known.store.now.synced_at) == (SECOND, NOW + 100)


async def test_a_full_sync_requests_everything(known):
    known.portal.orgs, known.portal.services_body = make_body(make_org(1), make_org(2)), SERVICES
    assert await known.run(full=True) == "nothing changed"
    assert known.portal.requests == [("002", "0"), ("003", "0")]
    assert known.hasher.hashed_secrets == []


async def test_a_delta_changes_only_what_it_lists(known):
    known.portal.orgs = make_body(make_org(1, op_type="M", org_name="새 이름"), make_org(2, op_type="D"), stamp=SECOND)
    assert await known.run() == "taken: organisations 0 new, 1 changed, 1 gone; services 0 new, 0 changed, 1 gone"
    assert known.store.now.organisations["OPER000001"].name == "새 이름"
    assert set(known.store.now.services) == {"client1x0"}


@pytest.mark.parametrize("full", [True, False])
async def test_a_removed_operator_goes_though_its_services_are_listed(known, full):
    known.portal.orgs = make_body(make_org(1), make_org(2, op_type="D"), stamp=SECOND)
    known.portal.services_body = SERVICES
    assert await known.run(full=full) == (
        "taken: organisations 0 new, 0 changed, 1 gone; services 0 new, 0 changed, 1 gone; "
        "1 service of organisations that go or are unknown left out"
    )
    assert set(known.store.now.services) == {"client1x0"}


async def test_services_of_unknown_operators_are_skipped_until_they_come(known):
    unknown = make_services(9, "secretOfUnknown0000", "secretOfUnknown0001")
    known.portal.services_body = make_body(unknown, stamp=SECOND)
    assert await known.run() == "nothing changed; 2 services of organisations that go or are unknown left out"
    assert known.hasher.hashed_secrets == []
    known.portal.orgs = make_body(make_org(9), stamp=THIRD)
    known.portal.services_body = make_body(*SERVICES["org_list"], unknown, stamp=THIRD)
    assert await known.run() == "taken: organisations 1 new, 0 changed, 0 gone; services 2 new, 0 changed, 0 gone"
    assert known.portal.requests[-1] == ("003", "0")


async def test_only_a_changed_secret_is_hashed(known):
    known.portal.services_body = make_body(
        make_services(1, "secretOfOperator1"), make_services(2, "newSecretOfOperator2")
    )
    before = known.store.now.services
    await known.run(full=False)
    assert known.hasher.hashed_secrets == ["newSecretOfOperator2"]
    assert known.store.now.services["client1x0"] == before["client1x0"]
    assert known.store.now.services["client2x0"].secret_hash != before["client2x0"].secret_hash


async def test_all_services_are_requested_for_a_new_caller(known):
    known.portal.orgs = make_body(make_org(3), make_org(4, org_type="06"), stamp=SECOND)
    known.portal.services_body = make_body(*SERVICES["org_list"], make_services(3, "secretOfOperator3"))
    assert await known.run() == "taken: organisations 2 new, 0 changed, 0 gone; services 1 new, 0 changed, 0 gone"
    known.portal.orgs = make_body(make_org(5, org_type="06"), stamp=THIRD)
    await known.run()
    assert known.portal.requests == [("002", FIRST), ("003", "0"), ("002", SECOND), ("003", FIRST)]


@pytest.mark.parametrize("stamp", ["20231231000000", "0", None, ""])
async def test_everything_is_requested_after_a_bad_timestamp(known, stamp):
    known.portal.orgs = make_body(stamp=stamp)
    await known.run()
    known.portal.orgs = make_body(make_org(1), make_org(2), stamp=THIRD)
    assert await known.run() == "nothing changed"
    assert known.portal.requests[2:] == [("002", "0"), ("003", SECOND)]
    assert known.store.now.orgs_timestamp == THIRD


FAR_AHEAD = "the portal's search_timestamp is more than a day ahead: everything is requested again"


@pytest.mark.parametrize("ahead", ["orgs", "services_body"])
async def test_a_timestamp_far_ahead_is_ignored(known, ahead):
    """A request with a timestamp of 2099 would never return changes."""
    setattr(known.portal, ahead, make_body(stamp="20991231235959"))
    assert await known.run() == f"nothing changed; {FAR_AHEAD}"
    known.portal.orgs = make_body(make_org(1), make_org(2), stamp="20991231235959")
    known.portal.services_body = SERVICES | {"search_timestamp": "20991231235959"}
    known.portal.requests.clear()
    assert await known.run(full=True) == f"nothing changed; {FAR_AHEAD}"
    assert await known.run() == f"nothing changed; {FAR_AHEAD}"
    assert {since for _, since in known.portal.requests} == {"0"}
    known.portal.orgs, known.portal.services_body = make_body(make_org(1), make_org(2), stamp=SECOND), SERVICES
    assert await known.run() == "nothing changed"
    assert (known.store.now.orgs_timestamp, known.store.now.services_timestamp) == (SECOND, FIRST)


@pytest.mark.parametrize(
    ("orgs", "services", "requests", "words"),
    [
        (
            make_body(make_org(1, org_type="08")),
            make_body(),
            1,
            "지원-002 is invalid: 1 problem:\norg_list[0] (OPER000001).org_type: is none",
        ),
        (make_body(make_org(1), org_cnt="2"), make_body(), 1, "org_cnt: says 2, org_list holds 1"),
        (
            make_body(make_org(1)),
            make_body(make_services(1, "secretOf!")),
            2,
            "지원-003 is invalid: 1 problem:\norg_list[0]",
        ),
        (PortalDown("지원-002: HTTP 500 (5 of 5 attempts)"), make_body(), 1, "gave no registry: 지원-002: HTTP 500"),
        (make_body(make_org(1)), PortalDown("지원-003: no connection"), 2, "gave no registry: 지원-003: no connection"),
        (make_body(make_org(1)), PortalRefused(403, "40301"), 2, "gave no registry: HTTP 403, rsp_code 40301"),
    ],
)
async def test_an_invalid_answer_is_reported_and_nothing_is_written(known, orgs, services, requests, words):
    before = known.store.now
    known.portal.orgs, known.portal.services_body = orgs, services
    assert words in await known.run_failing()
    assert len(known.portal.requests) == requests
    assert (known.store.now, known.store.written) == (before, [])


async def test_a_report_lists_a_hundred_problems_and_counts_all(fresh):
    fresh.portal.orgs = make_body(*(make_org(number, serial_num=None) for number in range(150)))
    lines = (await fresh.run_failing()).splitlines()
    assert lines[0] == "지원-002 is invalid: 150 problems, the first 100:"
    assert lines[1] == "org_list[0] (OPER000000).serial_num: is missing (org_type 03)"
    assert len(lines) == 101


async def test_a_superseded_leader_writes_nothing(known):
    known.store.fence, before = 2, known.store.now
    with pytest.raises(Superseded):
        await known.run(fence=1)
    assert known.store.now == before


async def test_syncs_run_one_at_a_time(known):
    """A slow sync must not undo what a later one applied."""
    known.portal.orgs = make_body(make_org(1), make_org(2), stamp=SECOND)
    known.portal.services_body = SERVICES
    await asyncio.gather(known.run(full=True), known.run(), known.run(full=True))
    assert [api for api, _ in known.portal.requests] == ["002", "003"] * 3
    assert known.portal.requests[2:4] == [("002", SECOND), ("003", FIRST)]


async def test_a_preview_returns_all_differences_and_writes_nothing(known):
    known.portal.orgs = make_body(make_org(1))
    known.portal.services_body = make_body(make_services(1, "secretOfOperator1"))
    changes = await known.sync.preview(NOW)
    assert known.portal.requests == [("002", "0"), ("003", "0")]
    assert (changes.organisations, changes.services) == ({"OPER000002": None}, {"client2x0": None})
    assert known.store.written == []


async def test_long_lists_are_read_off_the_event_loop(known, monkeypatch):
    seen = []
    for name in ("read_organisations", "read_services", "compare_with_registry", "judge"):
        real = getattr(sync, name)

        def noted(*given, real=real, name=name):
            seen.append((name, threading.current_thread() is threading.main_thread()))
            return real(*given)

        monkeypatch.setattr(sync, name, noted)
    known.portal.orgs = make_body(make_org(1, op_type="M", org_name="새 이름"), stamp=SECOND)
    await known.run()
    assert seen == [(name, False) for name in ("read_organisations", "read_services", "compare_with_registry", "judge")]


async def test_a_changed_secret_is_compared_with_no_hash(known):
    """Its mark was made with today's key, so a different mark means a different secret."""
    known.portal.services_body = make_body(make_services(1, "newSecretOfOperator1"), stamp=SECOND)
    await known.run()
    assert known.hasher.compared == []


async def test_more_new_secrets_than_the_limit_are_rejected_unhashed(known):
    before = known.store.now
    secrets = [f"secretOfMany{number}" for number in range(51)]
    known.portal.services_body = make_body(make_services(1, *secrets), make_services(2, *secrets), stamp=SECOND)
    limited = replace(known.sync, limits=SyncLimits(secrets=101))
    with pytest.raises(SyncFailed, match=r"102 client secrets are new, 101 at most \(portal.limits.secrets\)"):
        await limited.run(full=False, fence=1, now=NOW)
    assert (known.store.now, known.store.written) == (before, [])
    assert (known.hasher.hashed_secrets, known.hasher.compared) == ([], [])


async def test_a_preview_hashes_nothing(known):
    known.portal.orgs = make_body(make_org(1), make_org(2))
    known.portal.services_body = make_body(make_services(1, "newSecretOfOperator1"), SERVICES["org_list"][1])
    changes = await known.sync.preview(NOW)
    assert list(changes.services) == ["client1x0"]
    assert known.hasher.hashed_secrets == []


async def test_a_service_without_a_mark_is_hashed_again(known):
    service = replace(known.store.now.services["client1x0"], secret_mark=b"")
    known.store.now = replace(known.store.now, services={"client1x0": service})
    known.portal.services_body = make_body(make_services(1, "secretOfOperator1"), stamp=SECOND)
    await known.run()
    assert known.hasher.hashed_secrets == ["secretOfOperator1"]
