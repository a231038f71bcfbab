"""A held sync waits for an administrator, or until the portal's list is harmless."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from simulated.sync import FIRST, NOW, SECOND, SERVICES, THIRD, make_body, make_org, make_services

from relay.jobs import sync
from relay.jobs.runner import JobFailed

ANOTHER = make_org(1, serial_num="other", ip_list=[{"ip": "192.0.2.9"}])
"""A change that is held."""
DROPPED = "; the held sync is dropped: the portal lists nothing harmful any more"


async def test_a_large_change_is_held_and_everything_is_requested_then(known):
    known.portal.orgs = make_body(ANOTHER, stamp=SECOND)
    before = known.store.now
    words = "serial_num and addresses would change within 7 days: OPER000001"
    assert await known.run(now=NOW + 100) == f"held until a person releases it: {words}"
    assert known.store.now == before
    assert (known.store.held_sync.since, known.store.held_sync.reasons) == (NOW + 100, (words,))
    assert known.store.held_sync.changes.orgs_timestamp == SECOND
    known.portal.orgs, known.portal.services_body = make_body(ANOTHER, make_org(2)), SERVICES
    assert await known.run(now=NOW + 200) == f"held until a person releases it: {words}"
    assert known.portal.requests[2:] == [("002", "0"), ("003", "0")]
    assert known.store.held_sync.since == NOW + 100


@pytest.mark.parametrize("full", [True, False])
async def test_an_empty_delta_does_not_drop_a_held_sync(known, full):
    """Removals of a broken portal are in its full list alone; its delta is empty (00001)."""
    whole = SimpleNamespace(orgs=make_body(ANOTHER, make_org(2)), services=SERVICES)
    known.portal.organisations = answer_fully(known.portal, "002", whole.orgs)
    known.portal.services = answer_fully(known.portal, "003", whole.services)
    first = await known.run(full=True)
    kept = known.store.held_sync
    for at in range(3):
        assert await known.run(full=full, now=NOW + at) == first
    assert known.store.held_sync == kept
    whole.orgs["org_list"][0] = make_org(1)
    assert await known.run() == f"nothing changed{DROPPED}"
    assert known.store.held_sync is None
    known.portal.requests.clear()
    assert await known.run() == "nothing changed"
    assert known.portal.requests == [("002", FIRST), ("003", FIRST)]


def answer_fully(portal, api, whole):
    """Returns a portal method with this full list and empty deltas."""

    async def answer(since):
        portal.requests.append((api, since))
        return whole if since == "0" else {"rsp_code": "00001", "rsp_msg": "최신"}

    return answer


async def test_a_held_sync_is_applied_when_it_becomes_harmless(known):
    known.portal.orgs = make_body(ANOTHER, stamp=SECOND)
    await known.run()
    known.portal.orgs = make_body(make_org(1, serial_num="other"), make_org(2), stamp=THIRD)
    known.portal.services_body = SERVICES
    outcome = await known.run()
    assert outcome == f"taken: organisations 0 new, 1 changed, 0 gone; services 0 new, 0 changed, 0 gone{DROPPED}"
    assert known.store.held_sync is None
    assert known.store.now.orgs_timestamp == THIRD


async def test_a_sync_held_twice_is_hashed_once_and_stays_the_same(known):
    known.portal.orgs = make_body(ANOTHER, make_org(2), stamp=SECOND)
    known.portal.services_body = make_body(
        make_services(1, "newSecretOfOperator1"), SERVICES["org_list"][1], stamp=SECOND
    )
    await known.run()
    first = known.store.held_sync.changes
    await known.run()
    assert known.hasher.hashed_secrets == ["newSecretOfOperator1"]
    assert known.store.held_sync.changes == first


async def test_a_held_secret_is_hashed_after_judging(known, monkeypatch):
    """A held sync must be complete for its release; judging needs marks alone."""
    judged = []
    real = sync.judge
    monkeypatch.setattr(sync, "judge", lambda *given: judged.append(list(known.hasher.hashed_secrets)) or real(*given))
    known.portal.orgs = make_body(ANOTHER, make_org(2), stamp=SECOND)
    known.portal.services_body = make_body(make_services(1, "newSecretOfOperator1"), stamp=SECOND)
    assert (await known.run()).startswith("held")
    assert judged == [[]]
    assert known.hasher.compared == []
    assert known.store.held_sync.changes.services["client1x0"].secret_hash == "$hash$1$0"


def release_during_sync(fresh, now):
    """Makes the portal list all again, after an administrator releases the held removals."""

    async def organisations(since):
        fresh.portal.requests.append(("002", since))
        if fresh.store.held_sync is not None:
            fresh.store.release(now)
        if since in {"0", FIRST}:
            return make_body(*(make_org(number) for number in range(1, 6)), stamp=THIRD)
        return {"rsp_code": "00001", "rsp_msg": "최신"}

    fresh.portal.organisations = organisations
    fresh.portal.services_body = SERVICES


async def test_a_release_during_a_sync_leaves_relay_and_portal_equal(fresh):
    """Otherwise changes judged against the old registry are applied, and the portal's correction is lost."""
    fresh.portal.orgs = make_body(*(make_org(number) for number in range(1, 6)))
    await fresh.run()
    before = fresh.store.now
    fresh.portal.orgs = make_body(*(make_org(number, op_type="D") for number in range(1, 6)), stamp=SECOND)
    fresh.portal.services_body = make_body(stamp=SECOND)
    assert (await fresh.run()).startswith("held until a person releases it: 5 of 5 organisations")
    release_during_sync(fresh, NOW)
    fresh.portal.requests.clear()
    assert await fresh.run() == "taken: organisations 5 new, 0 changed, 0 gone; services 2 new, 0 changed, 0 gone"
    assert [since for api, since in fresh.portal.requests if api == "002"] == ["0", "0"]
    assert fresh.store.held_sync is None
    assert fresh.store.now.organisations == before.organisations
    assert set(fresh.store.now.services) == set(before.services)


async def test_a_sync_is_judged_against_the_current_registry(known):
    """After a release during a sync, it is judged against the new registry."""
    known.portal.orgs = make_body(ANOTHER, make_org(2), stamp=SECOND)
    known.portal.services_body = SERVICES
    await known.run()

    async def organisations(_):
        if known.store.held_sync is not None:
            known.store.release(NOW)
        return make_body(ANOTHER, make_org(2), stamp=SECOND)

    known.portal.organisations = organisations
    assert await known.run() == "nothing changed"
    assert known.store.held_sync is None
    assert known.store.now.organisations["OPER000001"].serial_num == "other"


async def test_a_registry_that_changes_each_time_fails_the_sync(known):
    async def organisations(_):
        known.store.now = replace(known.store.now, number=known.store.now.number + 1)
        return make_body(make_org(1), make_org(2))

    known.portal.organisations, known.portal.services_body = organisations, SERVICES
    with pytest.raises(JobFailed, match="changed concurrently, 4 times in a row"):
        await known.run(full=True)
    assert known.store.written == []


async def test_a_timestamp_far_ahead_is_not_held_either(known):
    known.portal.orgs = make_body(ANOTHER, stamp="20991231235959")
    assert (await known.run()).endswith(
        "; the portal's search_timestamp is more than a day ahead: everything is requested again"
    )
    assert known.store.held_sync.changes.orgs_timestamp == "0"


async def test_harms_of_earlier_syncs_count_for_a_week(fresh):
    fresh.portal.orgs = make_body(*(make_org(number) for number in range(1, 6)))
    await fresh.run()
    for number in (1, 2, 3):
        fresh.portal.orgs = make_body(make_org(number, ip_list=[{"ip": "192.0.2.9"}]), stamp=SECOND)
        assert (await fresh.run(now=NOW + number)).startswith("taken")
    fresh.portal.orgs = make_body(
        *(make_org(number, ip_list=[{"ip": "192.0.2.9"}]) for number in range(1, 5)), make_org(5)
    )
    assert (await fresh.run(now=NOW + 86_400)).startswith(
        "held until a person releases it: 4 of 5 organisations would be cut off, re-keyed, redirected or re-timed "
        "within 7 days: 1 given other addresses; 3 by earlier syncs: OPER000001, OPER000002, OPER000003"
    )
    assert (await fresh.run(now=NOW + 8 * 86_400)).startswith("taken")


async def test_a_secret_that_returns_is_recognized(known):
    known.portal.services_body = make_body(make_services(1, "newSecretOfOperator1"), stamp=SECOND)
    before = known.store.now.services["client1x0"]
    await known.run()
    known.portal.services_body = make_body(make_services(1, "secretOfOperator1"), stamp=THIRD)
    await known.run(now=NOW + 60)
    assert known.store.now.services["client1x0"] == before
    assert known.hasher.hashed_secrets == ["newSecretOfOperator1"]


async def test_a_new_key_of_marks_changes_no_secret(known):
    """All marks differ then, but the secrets are the same."""
    known.hasher.key = b"other"
    known.hasher.same = ("secretOfOperator1", "secretOfOperator2")
    known.portal.orgs, known.portal.services_body = make_body(make_org(1), make_org(2), stamp=SECOND), SERVICES
    hashes = {name: service.secret_hash for name, service in known.store.now.services.items()}
    assert (await known.run(full=True)).endswith("services 0 new, 2 changed, 0 gone")
    assert {name: service.secret_hash for name, service in known.store.now.services.items()} == hashes
    assert known.hasher.hashed_secrets == []
    assert await known.run(full=True) == "nothing changed"


async def test_discarded_changes_are_skipped_for_a_week(known):
    known.portal.orgs = make_body(ANOTHER, make_org(2, org_name="새 이름"), stamp=SECOND)
    known.portal.services_body = SERVICES
    await known.run(full=True)
    known.store.discard(
        replace(known.store.held_sync.changes, organisations={"OPER000001": held_organisation(known)}), "wrong", NOW
    )
    outcome = "taken: organisations 0 new, 1 changed, 0 gone; services 0 new, 0 changed, 0 gone"
    left_out = "; 1 change left out, discarded: wrong"
    assert await known.run(full=True, now=NOW + 60) == outcome + left_out
    assert await known.run(full=True, now=NOW + 120) == "nothing changed" + left_out
    assert known.store.now.organisations["OPER000001"].serial_num == "999-81-00001"
    assert (await known.run(full=True, now=NOW + 8 * 86_400)).startswith("held until a person releases it")


def held_organisation(known):
    return known.store.held_sync.changes.organisations["OPER000001"]


async def test_consents_of_removed_parties_end_before_the_sync(known):
    known.store.orphaned_consents = 3
    known.portal.orgs = make_body(stamp=THIRD)
    remark = "3 consents to operators or services away for more than 7 days ended"
    assert await known.run(now=NOW + 60) == f"nothing changed; {remark}"
    assert known.store.limits[-1] == NOW + 60 - 7 * 86_400
