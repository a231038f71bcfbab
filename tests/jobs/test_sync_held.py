"""What is held back waits for a person, or until all that the portal lists is harmless."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from simulated.sync import FIRST, NOW, SECOND, SERVICES, THIRD, body, org, services_of

from relay.jobs import sync
from relay.jobs.runner import JobFailed

ANOTHER = org(1, serial_num="other", ip_list=[{"ip": "192.0.2.9"}])
"""What waits for a person."""
LET_GO = "; what was held is let go: all that the portal lists is harmless now"


async def test_a_sync_that_changes_too_much_is_held_and_everything_is_asked_for_then(known):
    known.portal.orgs = body(ANOTHER, stamp=SECOND)
    before = known.book.now
    words = "serial_num and addresses would change within 7 days: OPER000001"
    assert await known.run(now=NOW + 100) == f"held until a person releases it: {words}"
    assert known.book.now == before
    assert (known.book.kept.since, known.book.kept.reasons) == (NOW + 100, (words,))
    assert known.book.kept.changes.orgs_timestamp == SECOND
    known.portal.orgs, known.portal.services_body = body(ANOTHER, org(2)), SERVICES
    assert await known.run(now=NOW + 200) == f"held until a person releases it: {words}"
    assert known.portal.asked[2:] == [("002", "0"), ("003", "0")]
    assert known.book.kept.since == NOW + 100


@pytest.mark.parametrize("full", [True, False])
async def test_an_empty_delta_drops_nothing_that_is_held(known, full):
    """A portal that lost everybody says so in its full list alone; what changed since is nothing (00001)."""
    whole = SimpleNamespace(orgs=body(ANOTHER, org(2)), services=SERVICES)
    known.portal.organisations = answering(known.portal, "002", whole.orgs)
    known.portal.services = answering(known.portal, "003", whole.services)
    first = await known.run(full=True)
    kept = known.book.kept
    for at in range(3):
        assert await known.run(full=full, now=NOW + at) == first
    assert known.book.kept == kept
    whole.orgs["org_list"][0] = org(1)
    assert await known.run() == f"nothing changed{LET_GO}"
    assert known.book.kept is None
    known.portal.asked.clear()
    assert await known.run() == "nothing changed"
    assert known.portal.asked == [("002", FIRST), ("003", FIRST)]


def answering(portal, api, whole):
    """A portal with this full list, in which nothing ever changed."""

    async def asked(since):
        portal.asked.append((api, since))
        return whole if since == "0" else {"rsp_code": "00001", "rsp_msg": "최신"}

    return asked


async def test_what_was_held_is_taken_when_it_is_harmless_by_then(known):
    known.portal.orgs = body(ANOTHER, stamp=SECOND)
    await known.run()
    known.portal.orgs = body(org(1, serial_num="other"), org(2), stamp=THIRD)
    known.portal.services_body = SERVICES
    told = await known.run()
    assert told == f"taken: organisations 0 new, 1 changed, 0 gone; services 0 new, 0 changed, 0 gone{LET_GO}"
    assert known.book.kept is None
    assert known.book.now.orgs_timestamp == THIRD


async def test_what_is_held_twice_is_hashed_once_and_stays_the_same(known):
    known.portal.orgs = body(ANOTHER, org(2), stamp=SECOND)
    known.portal.services_body = body(services_of(1, "newSecretOfOperator1"), SERVICES["org_list"][1], stamp=SECOND)
    await known.run()
    first = known.book.kept.changes
    await known.run()
    assert known.hasher.hashed_secrets == ["newSecretOfOperator1"]
    assert known.book.kept.changes == first


async def test_a_held_secret_is_hashed_after_it_was_judged(known, monkeypatch):
    """What is held must be complete when it is released; what is judged needs marks alone."""
    judged = []
    real = sync.judge
    monkeypatch.setattr(sync, "judge", lambda *given: judged.append(list(known.hasher.hashed_secrets)) or real(*given))
    known.portal.orgs = body(ANOTHER, org(2), stamp=SECOND)
    known.portal.services_body = body(services_of(1, "newSecretOfOperator1"), stamp=SECOND)
    assert (await known.run()).startswith("held")
    assert judged == [[]]
    assert known.hasher.compared == []
    assert known.book.kept.changes.services["client1x0"].secret_hash == "$hash$1$0"


def released_while(room, now):
    """The portal lists everybody again, and a person releases the deletion just before it says so."""

    async def organisations(since):
        room.portal.asked.append(("002", since))
        if room.book.kept is not None:
            room.book.release(now)
        if since in {"0", FIRST}:
            return body(*(org(number) for number in range(1, 6)), stamp=THIRD)
        return {"rsp_code": "00001", "rsp_msg": "최신"}

    room.portal.organisations = organisations
    room.portal.services_body = SERVICES


async def test_a_release_while_a_sync_is_under_way_leaves_relay_and_portal_agreed(room):
    """Else it takes changes that were judged by the registry before, and what the portal took back is lost."""
    room.portal.orgs = body(*(org(number) for number in range(1, 6)))
    await room.run()
    before = room.book.now
    room.portal.orgs = body(*(org(number, op_type="D") for number in range(1, 6)), stamp=SECOND)
    room.portal.services_body = body(stamp=SECOND)
    assert (await room.run()).startswith("held until a person releases it: 5 of 5 organisations")
    released_while(room, NOW)
    room.portal.asked.clear()
    assert await room.run() == "taken: organisations 5 new, 0 changed, 0 gone; services 2 new, 0 changed, 0 gone"
    assert [since for api, since in room.portal.asked if api == "002"] == ["0", "0"]
    assert room.book.kept is None
    assert room.book.now.organisations == before.organisations
    assert set(room.book.now.services) == set(before.services)


async def test_what_is_to_be_held_is_judged_by_the_registry_that_stands(known):
    """One that is released into while a further sync would be held is not held against what was before."""
    known.portal.orgs = body(ANOTHER, org(2), stamp=SECOND)
    known.portal.services_body = SERVICES
    await known.run()

    async def organisations(_):
        if known.book.kept is not None:
            known.book.release(NOW)
        return body(ANOTHER, org(2), stamp=SECOND)

    known.portal.organisations = organisations
    assert await known.run() == "nothing changed"
    assert known.book.kept is None
    assert known.book.now.organisations["OPER000001"].serial_num == "other"


async def test_a_registry_that_changes_each_time_fails_the_sync(known):
    async def organisations(_):
        known.book.now = replace(known.book.now, number=known.book.now.number + 1)
        return body(org(1), org(2))

    known.portal.organisations, known.portal.services_body = organisations, SERVICES
    with pytest.raises(JobFailed, match="changed by others while the portal was asked, 4 times in a row"):
        await known.run(full=True)
    assert known.book.written == []


async def test_a_timestamp_far_ahead_is_not_held_either(known):
    known.portal.orgs = body(ANOTHER, stamp="20991231235959")
    assert (await known.run()).endswith(
        "; the portal's search_timestamp is more than a day ahead: everything is asked for again"
    )
    assert known.book.kept.changes.orgs_timestamp == "0"


async def test_what_earlier_syncs_harmed_counts_for_a_week(room):
    room.portal.orgs = body(*(org(number) for number in range(1, 6)))
    await room.run()
    for number in (1, 2, 3):
        room.portal.orgs = body(org(number, ip_list=[{"ip": "192.0.2.9"}]), stamp=SECOND)
        assert (await room.run(now=NOW + number)).startswith("taken")
    room.portal.orgs = body(*(org(number, ip_list=[{"ip": "192.0.2.9"}]) for number in range(1, 5)), org(5))
    assert (await room.run(now=NOW + 86_400)).startswith(
        "held until a person releases it: 4 of 5 organisations would be cut off, re-keyed, redirected or re-timed "
        "within 7 days: 1 given other addresses; 3 by earlier syncs: OPER000001, OPER000002, OPER000003"
    )
    assert (await room.run(now=NOW + 8 * 86_400)).startswith("taken")


async def test_a_secret_that_comes_back_is_the_one_it_was(known):
    known.portal.services_body = body(services_of(1, "newSecretOfOperator1"), stamp=SECOND)
    before = known.book.now.services["client1x0"]
    await known.run()
    known.portal.services_body = body(services_of(1, "secretOfOperator1"), stamp=THIRD)
    await known.run(now=NOW + 60)
    assert known.book.now.services["client1x0"] == before
    assert known.hasher.hashed_secrets == ["newSecretOfOperator1"]


async def test_another_key_of_marks_makes_no_secret_another(known):
    """All marks differ then, and the secrets are those that they were."""
    known.hasher.key = b"other"
    known.hasher.same = ("secretOfOperator1", "secretOfOperator2")
    known.portal.orgs, known.portal.services_body = body(org(1), org(2), stamp=SECOND), SERVICES
    hashes = {name: one.secret_hash for name, one in known.book.now.services.items()}
    assert (await known.run(full=True)).endswith("services 0 new, 2 changed, 0 gone")
    assert {name: one.secret_hash for name, one in known.book.now.services.items()} == hashes
    assert known.hasher.hashed_secrets == []
    assert await known.run(full=True) == "nothing changed"


async def test_what_a_person_discarded_is_left_out_for_a_week(known):
    known.portal.orgs = body(ANOTHER, org(2, org_name="새 이름"), stamp=SECOND)
    known.portal.services_body = SERVICES
    await known.run(full=True)
    known.book.discard(replace(known.book.kept.changes, organisations={"OPER000001": held_one(known)}), "wrong", NOW)
    outcome = "taken: organisations 0 new, 1 changed, 0 gone; services 0 new, 0 changed, 0 gone"
    left_out = "; 1 change left out, discarded: wrong"
    assert await known.run(full=True, now=NOW + 60) == outcome + left_out
    assert await known.run(full=True, now=NOW + 120) == "nothing changed" + left_out
    assert known.book.now.organisations["OPER000001"].serial_num == "999-81-00001"
    assert (await known.run(full=True, now=NOW + 8 * 86_400)).startswith("held until a person releases it")


def held_one(known):
    return known.book.kept.changes.organisations["OPER000001"]


async def test_who_is_away_for_long_is_forgotten_before_the_portal_is_asked(known):
    known.book.away = 3
    known.portal.orgs = body(stamp=THIRD)
    told = "3 consents to operators or services away for more than 7 days ended"
    assert await known.run(now=NOW + 60) == f"nothing changed; {told}"
    assert known.book.forgotten[-1] == NOW + 60 - 7 * 86_400
